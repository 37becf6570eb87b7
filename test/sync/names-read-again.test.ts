import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { SourceRecord } from "../../connectors/contract.ts";
import type { Progress } from "../../src/sync/progress.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { put, remove, world } from "../helpers/memory-source.ts";
import { syncWorld, testConnection, UNGUARDED } from "../helpers/sync.ts";

let db: TestDatabase;
const ctx = testContext();
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const user = (uid: string, reference: string): SourceRecord => ({
  kind: "user",
  nativeId: uid,
  reference,
  attributes: { uid, dn: reference },
});
const group = (cn: string): SourceRecord => ({
  kind: "group",
  nativeId: cn,
  reference: cn,
  attributes: { cn },
  members: { set: ["n1"] },
});

test("invariant 3: the records that name somebody whose name passes on are read again, once each, and whoever watches the run sees how far that is", async () => {
  await testConnection(db, ctx, { limits: UNGUARDED });
  const names = Array.from({ length: 120 }, (_, index) => `g${index}`);
  const source = world([user("ada", "n1"), ...names.map(group)]);
  source.pageSize = 300;
  await syncWorld(db, ctx, { world: source });
  remove(source, "user", "ada");
  put(source, user("bob", "n1"));
  const seen: Progress[] = [];
  await syncWorld(db, ctx, { world: source, onProgress: (progress) => void seen.push(progress) });
  const swept = seen.filter(({ stage, total }) => stage === "sweep" && total !== undefined);
  expect(swept.map(({ done }) => done)).toEqual(names.map((_, index) => index + 1));
  expect(swept.at(-1)).toEqual({ stage: "sweep", done: 120, total: 120 });
  const { rows } = await db.pool.query<{ uid: string; groups: number }>(
    `select p.user_name::text as uid, count(*)::int as groups from memberships m join people p on p.id = m.person_id
     where m.recorded_to is null and m.valid_to is null group by 1`,
  );
  expect(rows).toEqual([{ uid: "bob", groups: 120 }]);
});
