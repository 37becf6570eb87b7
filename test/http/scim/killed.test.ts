import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { createToken } from "../../../src/auth/tokens.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { testContext, testDatabase } from "../../helpers/database.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const CLIENTS = 16;

test("M1: a server that is killed among many who post leaves everybody whole or not there, and whoever was answered is there", async () => {
  const db = await testDatabase();
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "door-child.mjs"), db.url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const { token } = await inTransaction(db, testContext(), (work) => createToken(work, { name: "test", scope: "scim" }));
    const ended = once(child, "exit").then(() => Promise.reject(new Error("the door's process ended before it served")));
    const [port] = (await Promise.race([once(child.stdout, "data"), ended])) as [Buffer];
    ended.catch(() => undefined);
    const answered: string[] = [];
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        for (let number = 0; child.exitCode === null && child.signalCode === null; number += 1) {
          const userName = `k${client}n${number}`;
          try {
            const { status } = await fetch(`http://127.0.0.1:${port.toString().trim()}/scim/v2/Users`, {
              method: "POST",
              headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/scim+json" },
              body: JSON.stringify({ schemas: [USER], userName }),
            });
            expect(status).toBe(201);
            answered.push(userName);
          } catch (error) {
            // Nobody is there to answer any more; anything else is a failure of the test.
            if (!(error instanceof TypeError)) throw error;
            return;
          }
          if (answered.length === 100) child.kill("SIGKILL");
        }
      }),
    );
    expect(answered.length).toBeGreaterThanOrEqual(100);
    // The last statement of a killed client may still be at work.
    for (let busy = 1; busy > 0;) {
      const { rows } = await db.pool.query<{ busy: number }>(
        "select count(*)::int as busy from pg_stat_activity where datname = current_database() and application_name like $1",
        [`rollcall:${child.pid}%`],
      );
      busy = rows[0]?.busy ?? 0;
    }
    const { rows } = await db.pool.query<{ user_name: string; whole: boolean }>(
      `select p.user_name, (select count(*) from accounts a where a.person_id = p.id) = 1 and (select count(*) from lifecycle_periods l where l.person_id = p.id) = 1
          and (select count(*) from audit_events e where e.subject_id = p.id::text and e.name = 'person.joined') = 1 as whole
       from people p`,
    );
    expect(rows.filter(({ whole }) => !whole)).toEqual([]);
    expect(rows.map(({ user_name }) => user_name)).toEqual(expect.arrayContaining(answered));
    expect(rows.length).toBeLessThanOrEqual(answered.length + CLIENTS);
    const { rows: parts } = await db.pool.query(
      `select (select count(*)::int from accounts where kind = 'user') as accounts, (select count(*)::int from lifecycle_periods) as periods,
         (select count(*)::int from audit_events where name = 'person.joined') as events`,
    );
    expect(parts).toEqual([{ accounts: rows.length, periods: rows.length, events: rows.length }]);
  } finally {
    child.kill("SIGKILL");
    await db.drop();
  }
});
