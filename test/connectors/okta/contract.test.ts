import { okta } from "../../../connectors/okta/index.ts";
import { openOktaSource } from "../../../connectors/okta/read.ts";
import { openOktaWriteBack } from "../../../connectors/okta/write.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { writeBackContract, type WriteBackWorld } from "../../contract/write-back.ts";
import type { FakeOkta } from "../../counterparts/okta/server.ts";
import { addPeople, addPerson, addServiceApp, oktaOptions, openOrgServer } from "./opened.ts";

let fake: FakeOkta;
let app: Record<string, unknown> = {};

async function world(): Promise<SourceWorld> {
  fake = await openOrgServer();
  app = addServiceApp(fake, { scopes: ["okta.users.read", "okta.groups.read"] });
  const { org } = fake;
  const people = addPeople(fake, 25);
  const all = org.addGroup({ name: "all", description: "Everybody" });
  for (const id of people) org.addMember(all.id, id);
  org.addMember(org.addGroup({ name: "imported" }, "APP_GROUP").id, people[0] ?? "");
  org.addGroup({ name: "empty" });
  let added = 0;
  return {
    expected: async (kind) =>
      kind === "user" ? [...org.users.keys()] : [...org.groups.values()].filter(({ type }) => type !== "BUILT_IN").map(({ id }) => id),
    addPerson: async () => addPerson(fake, `new${added++}`),
    changePerson: async (id) => {
      // Who is deactivated can't be changed; an admin activates them instead.
      if (org.user(id).status === "DEPROVISIONED") org.lifecycle(id, "activate");
      else org.updateUser(id, { title: `Title ${added++}` });
    },
    removePerson: async (id) => {
      org.removeUser(id);
      org.removeUser(id);
    },
    unknownId: "00u00000000000000zzz",
    spoil: (cursor) => ({ ...cursor, org: "https://another.okta.com" }),
    close: () => fake.close(),
  };
}

sourceContract({ name: `${okta.name}, service app`, world, open: ({ signal }) => openOktaSource(oktaOptions(fake, app, signal)) });
sourceContract({
  name: `${okta.name}, API token and search`,
  world,
  open: ({ signal }) => openOktaSource(oktaOptions(fake, { userQuery: "search" }, signal)),
});

async function writeWorld(): Promise<WriteBackWorld> {
  fake = await openOrgServer();
  app = addServiceApp(fake);
  let added = 0;
  return {
    addPerson: async () => addPerson(fake, `w${added++}`),
    removePerson: async (id) => {
      fake.org.removeUser(id);
      fake.org.removeUser(id);
    },
    maySignIn: async (id) => {
      // Whoever comes back from a deactivation chooses a password first.
      if (fake.org.user(id).status === "PROVISIONED") fake.org.setStatus(id, "ACTIVE");
      return fake.org.signIn(id);
    },
    addGroup: async (members) => {
      const { id } = fake.org.addGroup({ name: `g${added++}` });
      for (const member of members) fake.org.addMember(id, member);
      return id;
    },
    members: async (id) => [...fake.org.group(id).members],
    close: () => fake.close(),
  };
}

writeBackContract({ name: `${okta.name}, suspend`, world: writeWorld, open: () => openOktaWriteBack(oktaOptions(fake, app)) });
writeBackContract({
  name: `${okta.name}, deactivate`,
  world: writeWorld,
  open: () => openOktaWriteBack(oktaOptions(fake, { ...app, disable: "deactivate" })),
});
