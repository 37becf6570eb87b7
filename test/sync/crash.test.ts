import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openDatabase } from "../../src/db/database.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import type { Progress } from "../../src/sync/progress.ts";
import { world } from "../helpers/memory-source.ts";
import { testContext, testDatabase } from "../helpers/database.ts";
import { scratchFolder } from "../helpers/scratch-folder.ts";
import { person, syncWorld, testConnection } from "../helpers/sync.ts";

const ctx = testContext();
/** Two portions of a plan: it is killed after one. */
const PEOPLE = 2000;
const people = (count: number) => {
  const source = world(
    Array.from({ length: count }, (_, index) => ({
      ...person(`u${index}`),
      attributes: { uid: `u${index}`, cn: `u${index}`, mail: `u${index}@lab.test` },
    })),
  );
  source.pageSize = 500;
  return source;
};

describe("invariants 3 and 10: a run that dies is taken up by another", () => {
  test.each([["read people"], ["apply"]])("SIGKILL in the middle of: %s", async (stage) => {
    const db = await testDatabase();
    try {
      await testConnection(db, ctx);
      const child = spawn(process.execPath, [path.join(import.meta.dirname, "../helpers/sync-child.mjs"), db.url, String(PEOPLE), stage], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [said] = await once(child.stdout, "data");
      expect(String(said)).toContain("here");
      await expect(syncWorld(db, ctx, { world: people(PEOPLE) })).rejects.toMatchObject({ code: "busy" });
      child.kill("SIGKILL");
      await once(child, "exit");
      await untilUnlocked(db.pool);
      const before = (await db.pool.query("select count(*)::int as n from people")).rows[0].n;
      expect(before % 1000).toBe(0);
      await syncWorld(db, ctx, { world: people(PEOPLE) });
      expect((await db.pool.query("select count(*)::int as n, count(distinct user_name)::int as names from people")).rows).toEqual([
        { n: PEOPLE, names: PEOPLE },
      ]);
      expect((await db.pool.query("select count(*)::int as n from audit_events where name = 'person.joined'")).rows).toEqual([
        { n: PEOPLE },
      ]);
      expect(await syncWorld(db, ctx, { world: people(PEOPLE) })).toMatchObject({ plan: {} });
    } finally {
      await db.drop();
    }
  });

  test("PostgreSQL restarted in the middle", async () => {
    const folder = scratchFolder("restart");
    const cluster = await startEmbeddedPostgres({ folder });
    const db = openDatabase({ url: cluster.url });
    try {
      await migrate(cluster.url);
      await testConnection(db, ctx);
      const source = people(PEOPLE);
      const onProgress = ({ stage, done }: Progress) => stage === "apply" && done >= 1000 && cluster.stop();
      await expect(syncWorld(db, ctx, { world: source, onProgress })).rejects.toThrow();
      await startEmbeddedPostgres({ folder });
      await syncWorld(db, ctx, { world: source });
      expect((await db.pool.query("select count(*)::int as n from people where state = 'active'")).rows).toEqual([{ n: PEOPLE }]);
    } finally {
      await db.close();
      cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

async function untilUnlocked(pool: { query(text: string): Promise<{ rowCount: number | null }> }): Promise<void> {
  while (
    (
      await pool.query(
        "select from pg_locks where locktype = 'advisory' and classid = 7305002 and database = (select oid from pg_database where datname = current_database())",
      )
    ).rowCount
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
}
