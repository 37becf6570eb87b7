import { openFakeOkta } from "../counterparts/okta/server.ts";
import { startGoogle } from "../counterparts/google/server.ts";
import { addPeople, API_TOKEN } from "../connectors/okta/opened.ts";
import { fillCompany } from "../connectors/google/opened.ts";
import { company, personCalled, settingsOf } from "../connectors/entra/opened.ts";

/** A system that is reached by HTTP, with somebody in it. */
export interface RecordedSystem {
  settings: Record<string, unknown>;
  /** From the record's attributes. */
  mapping: { user: string; group: string };
  /** What reads after the first one are. */
  mode: "full" | "incremental";
  now: () => Date;
  /** One person more, and one fault that passes. */
  change(): void;
  stop(): Promise<void>;
}

async function okta(): Promise<RecordedSystem> {
  const fake = await openFakeOkta();
  fake.signIn.apiTokens.add(API_TOKEN);
  const [first = ""] = addPeople(fake, 12);
  const group = fake.org.addGroup({ name: "Staff" });
  fake.org.addMember(group.id, first);
  return {
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

export const SYSTEMS: Readonly<Record<string, () => Promise<RecordedSystem>>> = { okta, google, entra };
