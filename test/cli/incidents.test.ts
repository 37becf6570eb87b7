import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { noteAttempt } from "../../src/auth/risk/attempts.ts";
import { detectIncidents } from "../../src/auth/risk/detect.ts";
import { NOWHERE } from "../../src/auth/risk/places.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { keyRing } from "../http/scim/door.ts";

let db: TestDatabase;
let folder: string;
beforeAll(async () => {
  db = await testDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-cli-"));
});
afterAll(async () => {
  await db.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function rollcall(...words: string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const write = (more: string) => void (text += more);
  const code = await runCommandLine({
    arguments: words,
    environment: { PATH: process.env["PATH"], HOME: folder, DATABASE_URL: db.url, ROLLCALL_DATA: folder },
    terminal: { write, writeError: write, watched: false },
    version: "0.0.0",
    startServer: () => Promise.reject(new Error("no command of this test starts a server")),
  });
  return { code, text };
}

test("W2: incidents are listed, shown and closed at the command line", async () => {
  expect(await rollcall("incident", "list")).toEqual({ code: 0, text: "There is no such incident.\n" });
  for (let at = 0; at < 12; at++)
    await noteAttempt(db.pool, {
      ...{ at: new Date(), keyRing, kind: "password", outcome: "failed", personId: null, name: `name-${at}`, address: "203.0.113.9" },
      why: "wrong_password",
    });
  const settings = signInSettings.parse({}).risk;
  const [raised] = await detectIncidents(testContext(), { db, keyRing, settings, placeOf: NOWHERE });
  const id = raised?.id ?? "";
  expect((await rollcall("incident", "list", "--state", "open")).text).toMatch(
    new RegExp(`^KIND .*\\nspraying +203\\.0\\.113\\.0/24 +open .*${id}\\n$`),
  );
  const { text } = await rollcall("incident", "show", id, "--attempts", "3");
  expect(text).toContain("spraying about 203.0.113.0/24, open");
  expect(text).toContain("accounts 12; failures 12");
  expect(text.match(/wrong_password/g)).toHaveLength(3);
  expect((await rollcall("incident", "close", id, "--outcome", "resolved", "--reason", "the network is closed")).code).toBe(0);
  expect(await rollcall("incident", "list", "--state", "open")).toMatchObject({ text: "There is no such incident.\n" });
  const again = await rollcall("incident", "close", id, "--outcome", "resolved", "--reason", "again");
  expect([again.code === 0, again.text]).toEqual([false, "The incident is closed: open it again first.\n"]);
  expect((await rollcall("incident", "show", "7")).text).toContain("is not an id");
});
