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
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-upload-"));
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
    environment: { PATH: process.env["PATH"], DATABASE_URL: db.url, ROLLCALL_DATA: folder },
    terminal: { write: (text) => void (out += text), writeError: (text) => void (error += text), watched: false },
    version: "1.2.3",
    startServer: () => Promise.reject(new Error("not here")),
  });
  return { code, out, error };
}

function written(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function definition(name: string, settings: object): string {
  const mapping = { user: { attributes: { userName: "account.login", employeeNumber: "account.id" } } };
  return written(
    `${name}.yaml`,
    JSON.stringify({ name, connector: "csv", settings: { idColumn: "id", trailer: "END", ...settings }, mapping }),
  );
}

const kept = async () => (await db.pool.query<{ file: string }>("select file from uploads order by file")).rows.map(({ file }) => file);

test("a file is handed in and synced; what goes with the connection goes with it", async () => {
  expect(await rollcall("connection", "add", definition("hr", { upload: { keep: 2 } }))).toMatchObject({ code: 0 });
  const early = await rollcall("connection", "check", "hr");
  expect(early.out).toMatch(/FAIL {2}file: Nothing was uploaded yet/);

  const first = await rollcall("connection", "upload", "hr", written("one.csv", "id,login\n1,ada\nEND,1\n"), "--no-sync");
  expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/Kept 21 bytes as \S+\.csv \(SHA-256 [0-9a-f]{64}\)/) });
  expect((await db.pool.query("select from people")).rowCount).toBe(0);

  const second = await rollcall("connection", "upload", "hr", written("two.csv", "id;login\n1;ada\n2;alan\nEND;2\n"));
  expect(second).toMatchObject({ code: 0, out: expect.stringContaining("read 2 users") });
  expect((await db.pool.query("select user_name from people order by 1")).rows).toEqual([{ user_name: "ada" }, { user_name: "alan" }]);
  expect((await db.pool.query("select trigger from runs")).rows).toEqual([{ trigger: "upload" }]);
  expect(await kept()).toHaveLength(2);

  const token = await rollcall("token", "create", "--name", "payroll", "--scope", "feed", "--connection", "hr");
  expect(token.out).toMatch(/^rc_feed_/);
});

test("what can't be handed in is refused with a sentence, and nothing is kept", async () => {
  const before = await kept();
  await rollcall("connection", "add", definition("fixed", { file: "/srv/feeds/people.csv" }));
  const file = written("three.csv", "id,login\n");
  expect(await rollcall("connection", "upload", "fixed", file)).toMatchObject({
    code: 2,
    error: expect.stringContaining("takes no files"),
  });
  expect(await rollcall("connection", "upload", "hr", path.join(folder, "none.csv"))).toMatchObject({
    code: 2,
    error: expect.stringContaining("none.csv can't be read: there is no such file"),
  });
  expect(await rollcall("connection", "upload", "hr", written("empty.csv", ""))).toMatchObject({
    error: expect.stringContaining("is empty"),
  });
  expect(await rollcall("token", "create", "--name", "x", "--scope", "feed")).toMatchObject({
    error: expect.stringContaining("--connection"),
  });
  expect(await kept()).toEqual(before);
});

test("what was handed in goes with its connection: another one of that name does not read it", async () => {
  expect(await rollcall("connection", "remove", "hr", "--dry-run")).toMatchObject({ code: 0 });
  expect(await kept()).toHaveLength(2);
  expect(await rollcall("connection", "remove", "hr", "--leaving", "2")).toMatchObject({ code: 0 });
  expect(await kept()).toEqual([]);
  expect(await rollcall("connection", "add", definition("hr", { upload: {} }))).toMatchObject({ code: 0 });
  expect((await rollcall("connection", "check", "hr")).out).toMatch(/FAIL {2}file: Nothing was uploaded yet/);
});

test("a definition that no longer has an SFTP server keeps none of its secrets", async () => {
  const hostKey = `SHA256:${"A".repeat(43)}`;
  const sftp = { host: "sftp.example.com", user: "hr", password: "hunter2", hostKey, path: "/out/people.csv" };
  await rollcall("connection", "add", definition("remote", { sftp }));
  const { password, ...rest } = sftp;
  expect(await rollcall("connection", "add", definition("remote", { sftp: rest }), "--replace")).toMatchObject({ code: 0 });
  const stored = async () =>
    (await db.pool.query("select settings, secrets from connections where name = 'remote'")).rows[0] as { secrets: object };
  expect(Object.keys((await stored()).secrets)).toEqual(["sftp.password"]);
  expect(JSON.stringify(await stored())).not.toContain(password);
  expect(await rollcall("connection", "add", definition("remote", { file: "/f.csv" }), "--replace")).toMatchObject({ code: 0 });
  expect((await stored()).secrets).toEqual({});
  expect(await rollcall("connection", "remove", "remote")).toMatchObject({ code: 0 });
});

test("what could not be taken in is named by the command that read it; a file that could not be read was kept, and that is said, too", async () => {
  expect(await rollcall("connection", "add", definition("bad", { upload: {} }))).toMatchObject({ code: 0 });
  const wrong = Array.from({ length: 12 }, (_, index) => `b${index},b${index},too many`);
  const file = written("bad.csv", ["id,login", "b,bea", ...wrong, "END,13", ""].join("\n"));
  const { code, out } = await rollcall("connection", "upload", "bad", file);
  expect([code, out]).toEqual([0, expect.stringContaining("12 with problems")]);
  expect(out.match(/^Problem: user b\d+: Line \d+: 3 cells, but the header has 2/gm)).toHaveLength(10);
  expect(out).toMatch(/^and 2 more: GET \/api\/v1\/runs\/\d+\/problems$/m);
  const again = JSON.parse((await rollcall("connection", "sync", "bad", "--json")).out) as { problems: unknown[] };
  expect(again.problems).toHaveLength(10);
  expect(again.problems[0]).toMatchObject({ kind: "user", nativeId: "b0", code: "columns", message: expect.stringContaining("Line 3") });
  expect(await rollcall("connection", "upload", "bad", written("broken.csv", 'id,login\n1,"ada\n'))).toMatchObject({
    code: 1,
    out: expect.stringMatching(/^Kept 16 bytes as \S+\.csv/),
    error: expect.stringContaining("is not CSV"),
  });
});
