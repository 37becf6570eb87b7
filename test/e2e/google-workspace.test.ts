import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { validateDefinition } from "../../src/connections/validate.ts";
import { addConnection } from "../../src/connections/store.ts";
import { liftBlocks, raiseBlocks } from "../../src/directory/blocks.ts";
import { recordRun, replayRun } from "../../src/sync/recording.ts";
import { runSync } from "../../src/sync/run.ts";
import { fillCompany } from "../connectors/google/opened.ts";
import { startGoogle, type GoogleFake } from "../counterparts/google/server.ts";
import { startWorld, type World } from "../provision/world.ts";

let fake: GoogleFake;
let world: World;
let folder: string;

const connection = "workspace";

async function sync(mode: "full" | "incremental" = "incremental") {
  const summary = await runSync(world.ctx, { db: world.db, keyRing: world.keyRing, connection, mode, trigger: "cli" });
  await world.drain();
  return summary;
}

const personOf = async (nativeId: string) => {
  const { rows } = await world.db.pool.query<{ id: string; active: boolean }>(
    "select p.id, p.active from people p join accounts a on a.person_id = p.id where a.native_id = $1",
    [nativeId],
  );
  const [person] = rows;
  if (person === undefined) throw new Error(`nobody has the account ${nativeId}`);
  return person;
};

const suspendedThere = (id: string) => fake.organisation.users.get(id)?.suspended;

describe("Google Workspace, both directions (a stand-in of the Directory API)", () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-google-"));
    world = await startWorld();
    fake = await startGoogle({ now: world.clock.now });
    const shipped = parse(readFileSync(new URL("../../config/mappings/google.yaml", import.meta.url), "utf8")) as Record<string, unknown>;
    const definition = validateDefinition(
      {
        ...shipped,
        schedule: undefined,
        settings: {
          serviceAccountKey: fake.delegation.keyFile,
          administrator: fake.administrator,
          apiUrl: fake.url,
          tokenUrl: fake.tokenUrl,
          pageSize: 7,
        },
        limits: { disable: { count: 100, share: 1 }, delete: { count: 100, share: 1 }, shrink: 1 },
        policy: { writeBack: { disable: true, groups: true } },
      },
      {},
    );
    await world.work((work) => addConnection(work, { definition, keyRing: world.keyRing }));
    fillCompany(fake);
    await sync();
  });
  afterAll(async () => {
    await world?.stop();
    await fake?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("M4: suspended there, out here and downstream; restored there, in again", async () => {
    const { id, primaryEmail } = fake.organisation.addUser({ email: "cyd@lab.test" });
    await sync();
    expect(world.user(primaryEmail)).toMatchObject({ active: true });
    fake.organisation.changeUser(id, { suspended: true });
    await sync();
    expect(await personOf(id)).toMatchObject({ active: false });
    expect(world.user(primaryEmail)).toMatchObject({ active: false });
    fake.organisation.changeUser(id, { suspended: false });
    await sync();
    expect(await personOf(id)).toMatchObject({ active: true });
    expect(world.user(primaryEmail)).toMatchObject({ active: true });
  });

  test("M4: expired here, suspended and signed out there; the next sync changes nothing; renewed here, back there; and only what was ours", async () => {
    const ours = fake.organisation.addUser({ email: "dee@lab.test" }).id;
    const theirs = fake.organisation.addUser({ email: "eve@lab.test", suspended: true }).id;
    await sync();
    const people = [(await personOf(ours)).id, (await personOf(theirs)).id];
    const blocks = async () =>
      (
        await world.db.pool.query(
          "select person_id, owner from blocks where person_id = any($1) and recorded_to is null and valid_to is null order by 1, 2",
          [people],
        )
      ).rows;
    await world.work((work) =>
      raiseBlocks(
        work,
        people.map((personId) => ({ personId, owner: "expiry" as const, effect: "suspended" as const, reason: "contract ended" })),
      ),
    );
    await world.drain();
    expect(suspendedThere(ours)).toBe(true);
    expect(fake.organisation.signOuts.get(ours)).toBe(1);
    const before = await blocks();
    await sync();
    await sync();
    expect(await blocks()).toEqual(before);
    await world.work((work) =>
      liftBlocks(
        work,
        people.map((personId) => ({ personId, owner: "expiry" as const })),
      ),
    );
    await world.drain();
    expect([suspendedThere(ours), suspendedThere(theirs)]).toEqual([false, true]);
    await sync();
    expect(await personOf(ours)).toMatchObject({ active: true });
    expect(await personOf(theirs)).toMatchObject({ active: false });
  });

  test("M4: a leaver is taken out of the groups there", async () => {
    const { id } = fake.organisation.addUser({ email: "fay@lab.test" });
    const group = fake.organisation.addGroup({ email: "leaving@lab.test", members: [id] });
    await sync();
    const { id: personId } = await personOf(id);
    await world.work((work) => raiseBlocks(work, [{ personId, owner: "offboarding", effect: "deactivated", reason: "last day" }]));
    await world.drain();
    expect([...(fake.organisation.members.get(group.id)?.keys() ?? [])]).toEqual([]);
  });

  test("B6: a recorded run comes to the same plan again without Google, and the recording holds no key and no token", async () => {
    const file = path.join(folder, "run.jsonl");
    fake.organisation.addUser({ email: "gus@lab.test" });
    fake.organisation.changeUser([...fake.organisation.users.keys()].at(-2) ?? "", { organizations: [{ title: "Chief" }] });
    const options = { db: world.db, keyRing: world.keyRing };
    await recordRun(world.ctx, { ...options, connection, mode: "incremental", trigger: "cli", planOnly: true, file });
    const text = readFileSync(file, "utf8");
    // Yes or no, so that a failure does not print the whole file.
    expect(text.includes("gus@lab.test")).toBe(true);
    expect(/PRIVATE KEY|ya29\.|eyJhbGciOi/.test(text)).toBe(false);
    const calls = fake.calls.length;
    expect(await replayRun(world.ctx, { ...options, file })).toMatchObject({ same: true });
    expect(fake.calls.length).toBe(calls);
  });
});
