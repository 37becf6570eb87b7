import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { answerLink } from "../../src/auth/links/answer.ts";
import { verifyPassword } from "../../src/auth/passwords/verify.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { configSchema, loadKeyRing } from "../../src/config.ts";
import { inTransaction } from "../../src/db/database.ts";
import { createLocalPerson } from "../../src/sync/local-people.ts";
import { testContext, testDatabase } from "../helpers/database.ts";

test("G1, G2: on the command line people are invited and passwords reset; what is shown works", async () => {
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
    const ctx = testContext();
    const personId = await inTransaction(db, ctx, (work) =>
      createLocalPerson(work, { contribution: { userName: "ada" }, state: "invited" }),
    );
    const config = configSchema.parse({ data: folder });
    const [keyRing, settings] = [loadKeyRing(config), config.signIn.password];
    const answer = (text: string, password: string) =>
      inTransaction(db, ctx, (work) => answerLink(work, { token: text.trim().split("#").at(-1) ?? "", password, keyRing, settings }));
    const verify = (password: string) => verifyPassword(db.pool, { personId, password, settings, now: new Date() });

    const unsent = await rollcall("person", "invite", "ada");
    expect(unsent.code).not.toBe(0);
    expect(unsent.text).toContain("No e-mail service is set up here");
    const invitation = await rollcall("person", "invite", "ada", "--show");
    expect(invitation.text).toContain("http://localhost:8080/login/link#");
    await answer(invitation.text, "four quiet otters juggle");
    expect(await verify("four quiet otters juggle")).toEqual({ matches: true, mustChange: false });

    const reset = await rollcall("person", "reset-password", "ada", "--show");
    await answer(reset.text, "seven bold herons whisper");
    expect(await verify("seven bold herons whisper")).toEqual({ matches: true, mustChange: false });

    const temporary = await rollcall("--json", "person", "reset-password", "ada", "--temporary", "--reason", "forgot it");
    const { password } = JSON.parse(temporary.text) as { password: string };
    expect(await verify(password)).toEqual({ matches: true, mustChange: true });
    const { rows } = await db.pool.query(
      "select actor, reason from audit_events where name = 'password.set' and data ->> 'how' = 'temporary'",
    );
    expect(rows).toEqual([{ actor: expect.stringMatching(/^cli:/), reason: "forgot it" }]);
    expect((await rollcall("person", "reset-password", "ada", "--temporary", "--show")).code).not.toBe(0);
    expect((await rollcall("person", "invite", "ada", "--show")).code).not.toBe(0);
  } finally {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  }
});
