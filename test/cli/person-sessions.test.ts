import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { startSession } from "../../src/auth/sessions/start.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { inTransaction } from "../../src/db/database.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { insertPerson } from "../directory/fixtures.ts";
import { testContext, testDatabase } from "../helpers/database.ts";

test("G6: an operator sees on the command line where somebody is signed in, and signs them out", async () => {
  const db = await testDatabase();
  const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
  const rollcall = async (...line: readonly string[]) => {
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
  };
  try {
    const personId = await insertPerson(db.pool, { userName: "ada" });
    expect(await rollcall("person", "sessions", "ada")).toMatchObject({ code: 0, text: "ada is signed in nowhere.\n" });
    const settings = signInSettings.parse({}).session;
    const { id, secret } = await inTransaction(db, testContext(), (work) =>
      startSession(work, { personId, methods: ["password", "totp"], settings, address: "192.0.2.7", userAgent: "Firefox" }),
    );
    const listed = await rollcall("person", "sessions", "ada", "--json");
    expect(JSON.parse(listed.text)).toMatchObject([{ id, methods: ["password", "totp"], address: "192.0.2.7", userAgent: "Firefox" }]);
    expect(listed.text).not.toContain(secret);
    expect((await rollcall("person", "sign-out", "ada")).code).toBe(2);
    expect(await rollcall("person", "sign-out", "ada", "--reason", "lost laptop")).toMatchObject({
      code: 0,
      text: expect.stringContaining("1 session ended."),
    });
    expect((await rollcall("person", "sessions", "ada")).text).toContain("signed in nowhere");
    expect((await rollcall("person", "sessions", "nobody")).code).not.toBe(0);
  } finally {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  }
});
