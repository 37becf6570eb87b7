import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import { beginTotpEnrolment, finishTotpEnrolment } from "../../src/auth/factors/enrolment.ts";
import { factorsOf } from "../../src/auth/factors/factors.ts";
import { verifyTotp } from "../../src/auth/factors/verification.ts";
import { answerLink } from "../../src/auth/links/answer.ts";
import { verifyPassword } from "../../src/auth/passwords/verify.ts";
import { startSession } from "../../src/auth/sessions/start.ts";
import { loadKeyRing, type Config } from "../../src/config.ts";
import { inTransaction } from "../../src/db/database.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { createLocalPerson } from "../../src/sync/local-people.ts";
import { insertPerson } from "../directory/fixtures.ts";
import { testContext, type TestDatabase } from "../helpers/database.ts";
import { openCommandLine, type TestCommandLine } from "./command-line.ts";

let line: TestCommandLine;
let db: TestDatabase;
let config: Config;
let rollcall: TestCommandLine["rollcall"];
beforeAll(async () => {
  line = await openCommandLine();
  ({ db, config, rollcall } = line);
});
afterAll(() => line?.close());

test("G3: factors outlive a rotation of the master key; an operator resets them on the command line, with a reason", async () => {
  const personId = await insertPerson(db.pool, { userName: "ada" });
  const keyRing = loadKeyRing(config);
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
});

test("G1, G2: on the command line people are invited and passwords reset; what is shown works", async () => {
  const ctx = testContext();
  const personId = await inTransaction(db, ctx, (work) =>
    createLocalPerson(work, { contribution: { userName: "grace" }, state: "invited" }),
  );
  const [keyRing, settings] = [loadKeyRing(config), config.signIn.password];
  const answer = (text: string, password: string) =>
    inTransaction(db, ctx, (work) => answerLink(work, { token: text.trim().split("#").at(-1) ?? "", password, keyRing, settings }));
  const verify = (password: string) => verifyPassword(db.pool, { personId, password, settings, now: new Date() });

  const unsent = await rollcall("person", "invite", "grace");
  expect(unsent.code).not.toBe(0);
  expect(unsent.text).toContain("No e-mail service is set up here");
  const invitation = await rollcall("person", "invite", "grace", "--show");
  expect(invitation.text).toContain("http://localhost:8080/login/link#");
  await answer(invitation.text, "four quiet otters juggle");
  expect(await verify("four quiet otters juggle")).toMatchObject({ matches: true, mustChange: false });

  const reset = await rollcall("person", "reset-password", "grace", "--show");
  await answer(reset.text, "seven bold herons whisper");
  expect(await verify("seven bold herons whisper")).toMatchObject({ matches: true, mustChange: false });

  const temporary = await rollcall("--json", "person", "reset-password", "grace", "--temporary", "--reason", "forgot it");
  const { password } = JSON.parse(temporary.text) as { password: string };
  expect(await verify(password)).toMatchObject({ matches: true, mustChange: true });
  const { rows } = await db.pool.query(
    "select actor, reason from audit_events where name = 'password.set' and data ->> 'how' = 'temporary'",
  );
  expect(rows).toEqual([{ actor: expect.stringMatching(/^cli:/), reason: "forgot it" }]);
  expect((await rollcall("person", "reset-password", "grace", "--temporary", "--show")).code).not.toBe(0);
  expect((await rollcall("person", "invite", "grace", "--show")).code).not.toBe(0);
});

test("G6: an operator sees on the command line where somebody is signed in, and signs them out", async () => {
  const personId = await insertPerson(db.pool, { userName: "edith" });
  expect(await rollcall("person", "sessions", "edith")).toMatchObject({ code: 0, text: "edith is signed in nowhere.\n" });
  const settings = signInSettings.parse({}).session;
  const { id, secret } = await inTransaction(db, testContext(), (work) =>
    startSession(work, { personId, methods: ["password", "totp"], settings, address: "192.0.2.7", userAgent: "Firefox" }),
  );
  const listed = await rollcall("person", "sessions", "edith", "--json");
  expect(JSON.parse(listed.text)).toMatchObject([{ id, methods: ["password", "totp"], address: "192.0.2.7", userAgent: "Firefox" }]);
  expect(listed.text).not.toContain(secret);
  expect((await rollcall("person", "sign-out", "edith")).code).toBe(2);
  expect(await rollcall("person", "sign-out", "edith", "--reason", "lost laptop")).toMatchObject({
    code: 0,
    text: expect.stringContaining("1 session ended."),
  });
  expect((await rollcall("person", "sessions", "edith")).text).toContain("signed in nowhere");
  expect((await rollcall("person", "sessions", "nobody")).code).not.toBe(0);
});
