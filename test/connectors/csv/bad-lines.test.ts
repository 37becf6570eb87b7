import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { runSync } from "../../../src/sync/run.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { testKeyRing as keyRing } from "../../helpers/sync.ts";

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-bad-lines-"));
  const definition = {
    name: "hr",
    connector: "csv",
    settings: { file: path.join(folder, "people.csv"), idColumn: "id", trailer: "END" },
    mapping: { user: { attributes: { userName: "account.login", title: "account.title" } } },
  };
  await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing }));
});
afterAll(async () => {
  await db?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const PEOPLE = Array.from({ length: 60 }, (_, index) => `${index},p${index},Engineer`);
async function sync(lines: readonly string[]): Promise<string> {
  writeFileSync(path.join(folder, "people.csv"), ["id,login,title", ...lines, `END,${lines.length}`, ""].join("\n"));
  return (await runSync(testContext(), { db, keyRing, connection: "hr", mode: "full", trigger: "cli" })).state;
}
const active = async () => (await db.pool.query("select from people where active")).rowCount;
const titleOf = async (login: string) =>
  (await db.pool.query("select attributes->>'title' as title, state from people where user_name = $1", [login])).rows[0];

test("a bad line of somebody who is known keeps them as they are, and stops nobody else's change, joining or leaving", async () => {
  expect(await sync(PEOPLE)).toBe("done");
  const [, ...others] = PEOPLE;
  const bad = "0,p0,Head, of Sales";
  expect(await sync([bad, ...others.slice(1), "60,p60,Engineer", "2,p2,Dean"].filter((line) => line !== "2,p2,Engineer"))).toBe("done");
  expect(await titleOf("p0")).toEqual({ title: "Engineer", state: "active" });
  expect(await titleOf("p1")).toMatchObject({ state: "deactivated" });
  expect(await titleOf("p2")).toMatchObject({ title: "Dean" });
  expect(await active()).toBe(60);
});

test("a line that says of nobody whose it is takes nobody away, and stops nobody else's change", async () => {
  const lines = PEOPLE.filter((line) => !/^[13],/.test(line)).map((line) => line.replace("p4,Engineer", "p4,Rector"));
  expect(await sync([...lines, ",p3,Engineer"])).toBe("done");
  expect(await titleOf("p3")).toMatchObject({ state: "active" });
  expect(await titleOf("p4")).toMatchObject({ title: "Rector" });
});

test("an id that stands on two lines takes nobody away until it stands on one; the earlier line counts, and the other is named", async () => {
  const without = PEOPLE.filter((line) => !/^[15],/.test(line));
  expect(await sync([...without.map((line) => line.replace("p6,Engineer", "p6,Abbot")), "6,p5,Engineer"])).toBe("done");
  expect(await titleOf("p5")).toMatchObject({ state: "active" });
  expect(await titleOf("p6")).toMatchObject({ title: "Abbot" });
  const { rows } = await db.pool.query("select native_id, code, message from run_problems where run_id = (select max(id) from runs)");
  expect(rows).toEqual([{ native_id: "6", code: "duplicate", message: expect.stringContaining("stands on an earlier line, too") }]);
  expect(await sync(without)).toBe("done");
  expect(await titleOf("p5")).toMatchObject({ state: "deactivated" });
});

test("invariant 1: groups and units that only a bad line may name are not taken to be gone", async () => {
  const file = path.join(folder, "placed.csv");
  const definition = {
    name: "placed",
    connector: "csv",
    settings: { file, idColumn: "id", trailer: "END", groupsColumn: "groups", unitColumn: "unit" },
    mapping: {
      user: { attributes: { userName: "account.login", employeeNumber: "account.id" } },
      group: { attributes: { displayName: "account.name" } },
      unit: { attributes: { name: "account.name" } },
      match: ["employeeNumber"],
    },
  };
  await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing }));
  let plan: unknown;
  const there = async (lines: readonly string[]) => {
    writeFileSync(file, ["id,login,groups,unit", ...lines, `END,${lines.length}`, ""].join("\n"));
    ({ plan } = await runSync(testContext(), { db, keyRing, connection: "placed", mode: "full", trigger: "cli" }));
    const { rows } = await db.pool.query<{ name: string }>(
      `select display_name::text as name from groups where deleted_at is null
       union select u.name::text from units u join accounts a on a.unit_id = u.id and a.gone_at is null
       union select 'in ' || g.display_name from memberships m join groups g on g.id = m.group_id where m.recorded_to is null and m.valid_to is null`,
    );
    return rows.map(({ name }) => name).sort();
  };
  const all = await there(["a1,ann,Staff,Sales", "a2,bea,Vault,Safe"]);
  expect(all).toEqual(["Safe", "Sales", "Staff", "Vault", "in Staff", "in Vault"]);
  expect(await there(["a1,ann,Staff,Sales", "a2,bea, the elder,Vault,Safe"])).toEqual(all);
  // Nor are the others changed for it, whose members are not known whole: once the line is mended, there is still nothing to do.
  expect(plan).toEqual({});
  expect(await there(["a1,ann,Staff;Vault,Sales", "a2,bea, the elder,Vault,Safe"])).toEqual(all);
  expect(plan).toMatchObject({ group: { update: 1 } });
  expect(await there(["a1,ann,Staff,Sales", "a2,bea,Vault,Safe"])).toEqual(all);
  expect(await there(["a1,ann,Staff,Sales", "a2,bea,Vault,Safe"])).toEqual(all);
  expect(plan).toEqual({});
  expect(await there(["a1,ann,Staff,Sales", "a2,bea,Staff,Sales"])).toEqual(["Sales", "Staff", "in Staff"]);
});
