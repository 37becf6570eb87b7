import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { projectFolder } from "../../../src/db/folder.ts";
import { AppError, type ErrorCode } from "../../../src/errors.ts";
import { refusalKey, refusalText } from "../../../src/http/login/refusals.ts";
import { loadLanguages } from "../../../src/notify/languages.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

const languages = loadLanguages();
const OURS = ["en", "fi", "de", "fr", "es"];
let door: LoginDoor;
beforeAll(async () => (door = await openLogin({ signIn: { limits: { network: { attempts: 3 } } } })));
afterAll(() => door?.close());

const files = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(path.join(folder, entry.name)) : [path.join(folder, entry.name)],
  );
const refusals = ["src/http/login", "src/auth/sign-in", "src/auth/sessions", "src/auth/factors", "src/auth/links", "src/auth/risk"]
  .flatMap((folder) => files(path.join(projectFolder(), folder)))
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) => [...readFileSync(file, "utf8").matchAll(/new AppError\(\s*"(\w+)"[^;]*?(?:field: "(\w+)"|\)[;,)])/g)])
  .map(([, code = "", field]) => ({ code: code as ErrorCode, field }));

test("every refusal that the pages can come to is said in each of the languages", () => {
  expect(refusals.length).toBeGreaterThan(30);
  for (const refusal of refusals) expect([refusal, languages.has(refusalKey(refusal))]).toEqual([refusal, true]);
  for (const tag of OURS.filter((each) => each !== "en"))
    for (const { code, field } of refusals.filter((each) => each.field !== "federation" && each.field !== "passkey")) {
      const error = new AppError(code, "An English sentence.", { ...(field ? { field } : {}), retryAfter: 130 });
      const [own, english] = [refusalText(error, languages.translate(tag)), refusalText(error, languages.translate("en"))];
      expect([tag, own]).not.toEqual([tag, english]);
      expect(own).not.toMatch(/English|\{\{|pages\./);
    }
});

test("whatever is refused, the sentence is one of ours and holds nothing of what came in", () => {
  const codes = fc.constantFrom<ErrorCode>("invalid", "not_found", "conflict", "forbidden", "too_large", "rate_limited", "unavailable");
  const field = fc.string({ maxLength: 20 }).filter((name) => name !== "federation" && name !== "passkey");
  fc.assert(
    fc.property(
      codes,
      field,
      fc.string({ minLength: 12 }),
      fc.option(fc.integer({ min: 0, max: 10_000 })),
      (code, name, words, retryAfter) => {
        const error = new AppError(code, words, { field: name, ...(retryAfter === null ? {} : { retryAfter }) });
        expect(languages.has(refusalKey(error))).toBe(true);
        expect(refusalText(error, languages.translate("de"))).not.toContain(words);
      },
    ),
  );
});

test("G2: a page says why it refuses in the browser's language, or that of who is signed in", async () => {
  const browser = door.browser();
  const finnish = { "Accept-Language": "fi" };
  const say = languages.translate("fi");
  await browser.get("/login", finnish);
  const old = await browser.submit("/login/forgot", { csrf: "x", name: "ada" }, finnish);
  expect([old.status, old.text.includes(say("pages.error.old_form"))]).toEqual([403, true]);
  // No browser keeps these cookies where there is no TLS: opening the page again would help nobody.
  const kept = new Map(browser.cookies);
  browser.cookies.clear();
  const without = await browser.submit("/login", { name: "ada" }, finnish);
  expect([without.status, without.text.includes(say("pages.error.no_cookies"))]).toEqual([403, true]);
  for (const [name, value] of kept) browser.cookies.set(name, value);
  const large = await browser.submit("/login/password", { name: "ada", password: "x".repeat(20_000) }, finnish);
  expect([large.status, large.text.includes(say("pages.error.too_large"))]).toEqual([413, true]);
  const foreign = await browser.submit("/login/password", {}, { ...finnish, "Sec-Fetch-Site": "cross-site" });
  expect(foreign.text).toContain(say("pages.error.other_site"));
  const { personId, userName } = await door.newPerson();
  await door.db.pool.query(
    `update people set attributes = attributes || '{"preferredLanguage": "es", "timezone": "Asia/Tokyo"}' where id = $1`,
    [personId],
  );
  expect((await door.signIn(browser, { name: userName, password: PASSWORD })).status).toBe(200);
  const account = await browser.get("/account", finnish);
  expect(account.text).toMatch(/<html lang="es">/);
  expect(account.text).toContain("GMT+9");
  const missing = await browser.submit("/account/sessions/end", { session: "00000000-0000-4000-8000-000000000000" }, finnish);
  expect([missing.status, missing.text.includes(languages.translate("es")("pages.error.not_found"))]).toEqual([404, true]);
  const guesser = door.browser();
  let last = await guesser.get("/login", finnish);
  for (let tries = 0; tries < 4; tries += 1) last = await guesser.submit("/login/password", { name: "nobody", password: "wrong" }, finnish);
  expect([last.status, /Yritä uudelleen \d+ min kuluttua/.test(last.text)]).toEqual([429, true]);
  expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
});
