import type { Kind } from "../../../connectors/contract.ts";
import { openGoogleSource } from "../../../connectors/google/read.ts";
import { openGoogleWriteBack } from "../../../connectors/google/write.ts";
import { sourceContract, type SourceWorld } from "../../contract/source.ts";
import { writeBackContract, type WriteBackWorld } from "../../contract/write-back.ts";
import { startGoogle, type GoogleFake } from "../../counterparts/google/server.ts";
import { fillCompany, googleOptions } from "./opened.ts";

let fake: GoogleFake;

async function sourceWorld(): Promise<SourceWorld> {
  fake = await startGoogle();
  fillCompany(fake);
  const { organisation } = fake;
  let added = 0;
  const expected: Readonly<Record<Kind, () => string[]>> = {
    user: () => [...organisation.users.values()].filter(({ primaryEmail }) => primaryEmail.endsWith("@lab.test")).map(({ id }) => id),
    group: () => [...organisation.groups.keys()],
    unit: () => [...organisation.units.values()].map(({ orgUnitId }) => orgUnitId),
  };
  return {
    expected: async (kind) => expected[kind](),
    addPerson: async () => organisation.addUser({ email: `new${added++}@lab.test` }).id,
    changePerson: async (id) => void organisation.changeUser(id, { organizations: [{ title: `Title ${added++}` }] }),
    removePerson: async (id) => organisation.deleteUser(id),
    addPersonOutside: async () => organisation.addUser({ email: `outside${added++}@elsewhere.test` }).id,
    unknownId: "999999999999999999999",
    close: () => fake.stop(),
  };
}

sourceContract({
  name: "google",
  world: sourceWorld,
  open: ({ signal }) => openGoogleSource(googleOptions(fake, { pageSize: 9, groupPageSize: 2, domain: "lab.test" }, signal)),
});

async function writeBackWorld(): Promise<WriteBackWorld> {
  fake = await startGoogle();
  const { organisation } = fake;
  let added = 0;
  return {
    addPerson: async () => organisation.addUser({ email: `w${added++}@lab.test` }).id,
    removePerson: async (id) => organisation.deleteUser(id),
    maySignIn: async (id) => {
      const user = organisation.users.get(id);
      return user !== undefined && !user.suspended && !user.archived;
    },
    addGroup: async (members) => organisation.addGroup({ email: `g${added++}@lab.test`, members }).id,
    members: async (id) => [...(organisation.members.get(id)?.keys() ?? [])],
    close: () => fake.stop(),
  };
}

writeBackContract({ name: "google", world: writeBackWorld, open: () => openGoogleWriteBack(googleOptions(fake)) });
