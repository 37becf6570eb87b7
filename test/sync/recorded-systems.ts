import { openFakeOkta } from "../counterparts/okta/server.ts";
import { startGoogle } from "../counterparts/google/server.ts";
import { addPeople, API_TOKEN } from "../connectors/okta/opened.ts";
import { fillCompany } from "../connectors/google/opened.ts";
import { company, personCalled, settingsOf } from "../connectors/entra/opened.ts";
import { openDomain } from "../helpers/active-directory.ts";
import { openDirectory } from "../helpers/ldap.ts";
import { sambaIsHere } from "../helpers/samba.ts";

/** A system with somebody in it. */
export interface RecordedSystem {
  connector: string;
  settings: Record<string, unknown>;
  /** From the record's attributes. */
  mapping: { user: string; group: string };
  /** What reads after the first one are. */
  mode: "full" | "incremental";
  now: () => Date;
  /** One person more; where faults can be ordered, one that passes. */
  change(): void | Promise<void>;
  stop(): Promise<void>;
}

async function okta(): Promise<RecordedSystem> {
  const fake = await openFakeOkta();
  fake.signIn.apiTokens.add(API_TOKEN);
  const [first = ""] = addPeople(fake, 12);
  const group = fake.org.addGroup({ name: "Staff" });
  fake.org.addMember(group.id, first);
  return {
    connector: "okta",
    settings: { url: fake.url, apiToken: API_TOKEN, pageSize: 5, rateLimitShare: 1 },
    mapping: { user: "account.login", group: "account.name" },
    mode: "incremental",
    now: () => fake.clock.peek(),
    change: () => {
      fake.clock.advance(60_000);
      fake.org.addUser({ firstName: "New", lastName: "Lab", email: "new@lab.test", login: "new@lab.test" });
      fake.faults.order({ name: "broken", path: /users/ });
    },
    stop: () => fake.close(),
  };
}

async function google(): Promise<RecordedSystem> {
  const fake = await startGoogle();
  fillCompany(fake);
  return {
    connector: "google",
    settings: { serviceAccountKey: fake.delegation.keyFile, administrator: fake.administrator, apiUrl: fake.url, tokenUrl: fake.tokenUrl },
    mapping: { user: "account.primaryEmail", group: "account.name" },
    mode: "full",
    now: fake.organisation.now,
    change: () => {
      fake.organisation.addUser({ email: "new@lab.test" });
      fake.inject({ fault: "unavailable", when: ({ path }) => path.endsWith("/users"), times: 1 });
    },
    stop: () => fake.stop(),
  };
}

async function entra(): Promise<RecordedSystem> {
  const { graph } = await company();
  return {
    connector: "entra",
    settings: settingsOf(graph),
    mapping: { user: "account.userPrincipalName", group: "account.displayName" },
    mode: "incremental",
    now: () => new Date(),
    change: () => {
      graph.tenant.add("users", personCalled("new"));
      graph.faults.plan({ kind: "server error", at: "GET /users/delta" });
    },
    stop: () => graph.close(),
  };
}

async function openLdap(): Promise<RecordedSystem> {
  const directory = await openDirectory();
  const names = Array.from({ length: 12 }, (_, number) => `p${number}`);
  for (const name of names) await directory.addPerson(name);
  await directory.addGroup("staff", [`uid=p0,${directory.people}`]);
  return {
    connector: "ldap",
    settings: {
      url: directory.tlsUrl,
      caFile: directory.caFile,
      bindDn: directory.bindDn,
      bindPassword: directory.bindPassword,
      users: { base: directory.people },
      groups: { base: directory.groups },
      pageSize: 5,
    },
    mapping: { user: "account.uid", group: "account.cn" },
    mode: "incremental",
    now: () => new Date(),
    change: async () => void (await directory.addPerson("new")),
    stop: () => directory.stop(),
  };
}

async function activeDirectory(): Promise<RecordedSystem> {
  const domain = await openDomain();
  const names = Array.from({ length: 12 }, (_, number) => `p${number}`);
  for (const name of names) await domain.addPerson(name);
  await domain.addGroup("staff", [`CN=p0,${domain.people}`]);
  return {
    connector: "ldap",
    settings: {
      url: domain.url,
      caFile: domain.caFile,
      bindDn: domain.adminDn,
      bindPassword: domain.adminPassword,
      users: { base: domain.people },
      groups: { base: domain.groups },
      pageSize: 5,
    },
    mapping: { user: "account.sAMAccountName", group: "account.cn" },
    mode: "incremental",
    now: () => new Date(),
    change: async () => void (await domain.addPerson("new")),
    stop: () => domain.stop(),
  };
}

export const SYSTEMS: Readonly<Record<string, () => Promise<RecordedSystem>>> = {
  ...{ okta, google, entra, "open-ldap": openLdap },
  ...(sambaIsHere() ? { "active-directory": activeDirectory } : {}),
};
