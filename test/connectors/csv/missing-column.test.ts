import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { checkConnection } from "../../../src/connections/check.ts";
import { loadConnection } from "../../../src/connections/open.ts";
import { addConnection } from "../../../src/connections/store.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../../src/db/envelope.ts";
import { runSync } from "../../../src/sync/run.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";

const keyRing: KeyRing = { current: sealingKey(randomBytes(32)), older: [] };
let db: TestDatabase;
let folder: string;

beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-csv-column-"));
});
afterAll(async () => {
  await db?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (name: string) => path.join(folder, `${name}.csv`);
const feed = (header: string) => `${header}\n1,ada,2020-01-31\n2,ben,\nEND,2\n`;
const sync = (connection: string) => runSync(testContext(), { db, keyRing, connection, mode: "full", trigger: "cli" });
const peopleOf = async (connection: string) =>
  (
    await db.pool.query<{ name: string; active: boolean; profile: unknown }>(
      `select p.user_name as name, p.active, a.attributes->>'end' as profile from people p join accounts a on a.person_id = p.id
        join connections c on c.id = a.connection_id where c.name = $1 order by 1`,
      [connection],
    )
  ).rows;

async function connect(name: string, endDate: string): Promise<void> {
  writeFileSync(fileOf(name), feed("number,login,end"));
  const definition = {
    name,
    connector: "csv",
    settings: { file: fileOf(name), idColumn: "number", trailer: "END" },
    mapping: { user: { attributes: { userName: `"${name}-" + account.login`, "employment.endDate": endDate } } },
  };
  await inTransaction(db, testContext(), (work) => addConnection(work, { definition, keyRing }));
  await sync(name);
}

test("whoever has left stays out when the column of last days has another name all of a sudden: the file is refused", async () => {
  await connect("renamed", "account.end");
  const before = await peopleOf("renamed");
  expect(before.map(({ name, active }) => [name, active])).toEqual([
    ["renamed-ada", false],
    ["renamed-ben", true],
  ]);
  writeFileSync(fileOf("renamed"), feed("number,login,last day"));
  const connection = await loadConnection(db.pool, keyRing, "renamed");
  const findings = await checkConnection(connection, testContext());
  expect(findings).toEqual([expect.objectContaining({ name: "file", ok: false, message: expect.stringContaining('no column "end"') })]);
  await expect(sync("renamed")).rejects.toMatchObject({
    message: expect.stringMatching(/no column "end", which the mapping reads; it has number, login, last day\. .*has\(account\.end\)/),
  });
  expect(await peopleOf("renamed")).toEqual(before);
});

test("a column that the mapping asks for first may be missing", async () => {
  await connect("asked", "has(account.end) ? account.end : ''");
  writeFileSync(fileOf("asked"), feed("number,login,last day"));
  expect(await sync("asked")).toMatchObject({ state: "done", plan: { user: { enable: 1 } } });
});
