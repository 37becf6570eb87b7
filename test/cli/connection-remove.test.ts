import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCommandLine } from "../../src/cli/program.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-remove-"));
});
afterAll(async () => {
  await db?.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function rollcall(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = "";
  let error = "";
  const code = await runCommandLine({
    arguments: words,
    environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
    terminal: { write: (text) => void (out += text), writeError: (text) => void (error += text), watched: false },
    version: "1.2.3",
    startServer: () => Promise.reject(new Error("no command of this test starts a server")),
  });
  return { code, out, error };
}

/** Adds a connection by a file of people, and reads it. */
async function listed(name: string, { precedence, limits, lines }: { precedence: number; limits: object; lines: string[] }): Promise<void> {
  const file = path.join(folder, `${name}.csv`);
  writeFileSync(file, ["id,login,working", ...lines, `END,${lines.length}`, ""].join("\n"));
  const attributes = { userName: "account.login", employeeNumber: "account.id", active: 'account.working == "yes"' };
  const definition = {
    ...{ name, precedence, limits, connector: "csv", settings: { file, idColumn: "id", trailer: "END" } },
    mapping: { user: { attributes }, match: ["employeeNumber"] },
  };
  writeFileSync(path.join(folder, `${name}.yaml`), JSON.stringify(definition));
  expect(await rollcall("connection", "add", path.join(folder, `${name}.yaml`))).toMatchObject({ code: 0, error: "" });
  expect(await rollcall("connection", "sync", name)).toMatchObject({ code: 0 });
}

const states = async (logins: readonly string[]) =>
  (
    await db.pool.query<{ line: string }>(
      "select user_name || ' ' || state as line from people where user_name = any($1::text[]) order by user_name",
      [logins],
    )
  ).rows.map(({ line }) => line);

test("a connection's removal is tried with --dry-run, held beyond its limits, and meant with --leaving", async () => {
  await listed("hr", { precedence: 10, limits: { delete: { count: 0 } }, lines: ["1,ada,yes", "2,bob,no", "3,cyd,yes"] });
  await listed("cloud", { precedence: 20, limits: {}, lines: ["1,ada,no", "2,bob,yes"] });
  const people = ["ada", "bob", "cyd"];
  const before = ["ada active", "bob suspended", "cyd active"];
  expect(await states(people)).toEqual(before);

  const comesTo =
    "people left without an origin: 1; people whom other origins list: 2, 1 of them as not active, 1 of them as active again; groups: 0; units: 0.\n";
  const tried = await rollcall("connection", "remove", "hr", "--dry-run");
  expect(tried).toEqual({ code: 0, out: `Nothing was changed. Removing hr would come to this: ${comesTo}`, error: "" });
  const counted = await rollcall("--json", "connection", "remove", "hr", "--dry-run");
  const counts = { handedOver: 2, leaving: 1, disabled: 1, enabled: 1, groups: 0, units: 0 };
  expect(JSON.parse(counted.out)).toEqual({ name: "hr", removed: false, ...counts });
  for (const words of [[], ["--leaving", "2"], ["--leaving", "0"]]) {
    const held = await rollcall("connection", "remove", "hr", ...words);
    expect(held).toMatchObject({ code: 3, out: "", error: expect.stringContaining("--leaving 1.") });
  }
  expect(await states(people)).toEqual(before);
  expect(await rollcall("connection", "remove", "hr", "--leaving", "many")).toMatchObject({ code: 2 });

  const removed = await rollcall("connection", "remove", "hr", "--leaving", "1");
  expect(removed).toEqual({ code: 0, out: `Removed hr; its tokens were revoked. ${comesTo}`, error: "" });
  expect(await states(people)).toEqual(["ada suspended", "bob active", "cyd deactivated"]);
  expect(await rollcall("connection", "show", "hr")).toMatchObject({ code: 2 });
});

test("what is held for those whom others have as not active is meant with --leaving 0, as it says", async () => {
  await listed("payroll", { precedence: 5, limits: { disable: { count: 0 } }, lines: ["7,eve,yes"] });
  await listed("badges", { precedence: 30, limits: {}, lines: ["7,eve,no"] });
  expect(await rollcall("connection", "remove", "payroll")).toMatchObject({ code: 3, error: expect.stringContaining("--leaving 0.") });
  expect(await rollcall("connection", "remove", "payroll", "--leaving", "0")).toMatchObject({ code: 0, error: "" });
  expect(await states(["eve"])).toEqual(["eve suspended"]);
});
