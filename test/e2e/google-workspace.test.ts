import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { raiseBlocks } from "../../src/directory/blocks.ts";
import { recordRun, replayRun } from "../../src/sync/recording.ts";
import { fillCompany } from "../connectors/google/opened.ts";
import { startGoogle, type GoogleFake } from "../counterparts/google/server.ts";
import { startWorld } from "../provision/world.ts";
import { bothWays } from "./both-ways.ts";
import { connectUpstream } from "./upstream.ts";

describe("Google Workspace, both directions (a stand-in of the Directory API)", () => {
  let fake: GoogleFake;
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-google-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const upstream = bothWays("Google Workspace", async () => {
    const world = await startWorld();
    fake = await startGoogle({ now: world.clock.now });
    fillCompany(fake);
    const connected = await connectUpstream({
      shipped: "google",
      world,
      settings: () => ({
        serviceAccountKey: fake.delegation.keyFile,
        administrator: fake.administrator,
        apiUrl: fake.url,
        tokenUrl: fake.tokenUrl,
        pageSize: 7,
      }),
      stop: () => fake.stop(),
    });
    return {
      ...connected,
      hire: async (name) => fake.organisation.addUser({ email: `${name}@lab.test` }).id,
      disable: async (id) => void fake.organisation.changeUser(id, { suspended: true }),
      enable: async (id) => void fake.organisation.changeUser(id, { suspended: false }),
      isEnabled: async (id) => fake.organisation.users.get(id)?.suspended === false,
    };
  });

  test("M4: who is suspended from here is signed out there as well", () => {
    expect([...fake.organisation.signOuts.values()]).toEqual([1]);
  });

  test("M4: a leaver is taken out of the groups there", async () => {
    const { world, sync } = upstream();
    const { id } = fake.organisation.addUser({ email: "fay@lab.test" });
    const group = fake.organisation.addGroup({ email: "leaving@lab.test", members: [id] });
    await sync();
    const { rows } = await world.db.pool.query<{ personId: string }>(
      `select person_id as "personId" from accounts where native_id = $1 and kind = 'user'`,
      [id],
    );
    await world.work((work) =>
      raiseBlocks(
        work,
        rows.map(({ personId }) => ({ personId, owner: "offboarding" as const, effect: "deactivated" as const, reason: "last day" })),
      ),
    );
    await world.drain();
    expect([...(fake.organisation.members.get(group.id)?.keys() ?? [])]).toEqual([]);
  });

  test("B6: a recorded run comes to the same plan again without Google, and the recording holds no key and no token", async () => {
    const { world, connection } = upstream();
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
