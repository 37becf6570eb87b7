import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import { beginTotpEnrolment, finishTotpEnrolment } from "../../src/auth/factors/enrolment.ts";
import { factorsOf } from "../../src/auth/factors/factors.ts";
import { verifyTotp } from "../../src/auth/factors/verification.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { configSchema, loadKeyRing } from "../../src/config.ts";
import { inTransaction } from "../../src/db/database.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { insertPerson } from "../directory/fixtures.ts";
import { testContext, testDatabase } from "../helpers/database.ts";

test("G3: factors outlive a rotation of the master key; an operator resets them on the command line, with a reason", async () => {
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
    const keyRing = loadKeyRing(configSchema.parse({ data: folder }));
    const at = Math.floor(Date.now() / 30_000) * 30_000;
    const ctx = testContext({ now: () => new Date(at) });
    const call = { personId, boundTo: "session:test", keyRing, settings: signInSettings.parse({}).factors };
    const { secret } = await inTransaction(db, ctx, (work) => beginTotpEnrolment(work, { ...call, account: "ada" }));
    const codeAt = (steps: number) => new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at + steps * 30_000 });
    await inTransaction(db, ctx, (work) => finishTotpEnrolment(work, { ...call, code: codeAt(0), label: "Telephone" }));

    expect((await rollcall("key", "rotate")).code).toBe(0);
    expect(await inTransaction(db, ctx, (work) => verifyTotp(work, { ...call, code: codeAt(1) }))).toMatchObject({ ok: true });

    expect((await rollcall("person", "reset-factors", "ada")).code).not.toBe(0);
    expect(await rollcall("person", "reset-factors", "ada", "--reason", "lost the telephone")).toMatchObject({
      code: 0,
      text: expect.stringContaining("has no second factor any more; 1 was taken away."),
    });
    expect(await factorsOf(db.pool, personId)).toEqual([]);
    const { rows } = await db.pool.query<{ reason: string; actor: string }>(
      "select reason, actor from audit_events where name = 'factor.reset'",
    );
    expect(rows).toEqual([{ reason: "lost the telephone", actor: expect.stringMatching(/^cli:/) }]);
    expect((await rollcall("person", "reset-factors", "ada", "--reason", "again")).text).toContain("no second factor");
  } finally {
    await db.drop();
    rmSync(folder, { recursive: true, force: true });
  }
});
