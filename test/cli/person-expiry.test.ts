import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runCommandLine } from "../../src/cli/program.ts";
import { insertPerson } from "../directory/fixtures.ts";
import { testDatabase, type TestDatabase } from "../helpers/database.ts";

describe("rollcall person expire, renew", () => {
  let db: TestDatabase;
  let folder: string;
  let id: string;
  beforeAll(async () => {
    db = await testDatabase();
    folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
    id = await insertPerson(db.pool, { userName: "ada" });
  });
  afterAll(async () => {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function rollcall(...line: readonly string[]): Promise<{ code: number; text: string }> {
    let text = "";
    const write = (more: string) => void (text += more);
    const code = await runCommandLine({
      arguments: [...line],
      environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
      terminal: { write, writeError: write, watched: false },
      version: "1.2.3",
      startServer: () => Promise.reject(new Error("not here")),
    });
    return { code, text };
  }
  const state = async () => (await db.pool.query<{ state: string }>("select state from people where id = $1", [id])).rows[0]?.state;

  test("A7: an end is set, shown, reached and taken back; who asked and why stands in the trail", async () => {
    expect(await rollcall("person", "expire", "ada", "--at", "30d", "--reason", "season")).toMatchObject({
      code: 0,
      text: expect.stringMatching(/Access of ada \(.*\) ends at 20/),
    });
    expect((await rollcall("person", "show", "ada")).text).toMatch(/access ends +20/);
    expect(await state()).toBe("active");
    expect((await rollcall("person", "expire", "ada", "--at", "now", "--reason", "gone early")).code).toBe(0);
    expect(await state()).toBe("suspended");
    expect((await rollcall("person", "show", "ada")).text).toMatch(/Blocked by[\s\S]*expiry +suspended .*gone early/);
    const renewed = await rollcall("person", "renew", "ada", "--until", "2999-01-01", "--reason", "back", "--json");
    expect(JSON.parse(renewed.text)).toEqual({ id, until: "2999-01-01T00:00:00.000Z", state: "active" });
    expect(await rollcall("person", "renew", "ada", "--reason", "for good")).toMatchObject({
      text: expect.stringContaining("has no end; the person is active"),
    });
    expect((await rollcall("audit", "tail", "--event", "person.expiry_set")).text).toMatch(
      /season[\s\S]*gone early[\s\S]*back[\s\S]*for good/,
    );
  });

  test("times that are none, or past, and people that are not there, are refused by name", async () => {
    for (const at of ["soon", "2020-01-01", "-1d"])
      expect(await rollcall("person", "expire", "ada", "--at", at, "--reason", "x")).toMatchObject({
        code: 2,
        text: expect.stringContaining("--at"),
      });
    expect(await rollcall("person", "expire", "ada", "--reason", "x")).toMatchObject({ code: 2 });
    expect(await rollcall("person", "renew", "nobody", "--reason", "x")).toMatchObject({
      code: 2,
      text: expect.stringContaining("no person"),
    });
    expect(await state()).toBe("active");
  });
});
