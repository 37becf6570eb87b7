import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Secret, TOTP } from "otpauth";
import { requireFactor } from "../../../src/auth/factors/requirements.ts";
import { handOutLink } from "../../../src/auth/links/hand-out.ts";
import { createLog } from "../../../src/log.ts";
import { keyRing } from "../scim/door.ts";
import type { Browser } from "./browser.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

const OTHER = "seven bold herons whisper";
const TYPED_AS_NAME = "nine calm walruses argue";
const WRONG = "two loud geese disagree";

let door: LoginDoor;
let logged = "";
beforeAll(async () => {
  const log = createLog({ level: "trace", destination: { write: (line: string) => void (logged += line) } });
  door = await openLogin({ log, signIn: { notify: { email: { provider: "smtp" } } } });
});
afterAll(() => door?.close());

/** Everything that is stored, as text; what is binary, in hexadecimal. */
async function everythingStored(): Promise<string> {
  const { rows } = await door.db.pool.query<{ name: string }>(
    "select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')",
  );
  let all = "";
  for (const { name } of rows)
    all +=
      (await door.db.pool.query<{ text: string | null }>(`select string_agg(row::text, ' ') as text from ${name} row`)).rows[0]?.text ?? "";
  return all;
}

test("G2, G3, G6: nothing that opens something stands in the log at its finest, in the trail, in a job or in any table", async () => {
  const secrets = new Set([PASSWORD, OTHER, TYPED_AS_NAME, WRONG]);
  const seen = (browser: Browser) => {
    for (const value of browser.cookies.values()) secrets.add(value);
    if (browser.csrf() !== "") secrets.add(browser.csrf());
  };
  const { personId, userName } = await door.newPerson({ email: "whole@example.org" });
  await door.work((work) => requireFactor(work, { subject: { personId }, reason: "policy" }));
  const browser = door.browser();
  await browser.get("/login");
  await browser.submit("/login/password", { name: TYPED_AS_NAME, password: WRONG });
  await browser.submit("/login/password", { name: userName, password: WRONG });
  await browser.submit("/login/forgot", { name: TYPED_AS_NAME });
  await browser.get("/login");
  await browser.submit("/login/password", { name: userName, password: PASSWORD });
  seen(browser);
  await browser.get("/login/enrol");
  const begun = await browser.submit("/login/enrol/totp");
  const key = (/id="key">([^<]+)</.exec(begun.text)?.[1] ?? "").replaceAll(" ", "");
  expect(key.length).toBeGreaterThan(15);
  secrets.add(key).add(Buffer.from(Secret.fromBase32(key).buffer).toString("hex"));
  const code = new TOTP({ secret: Secret.fromBase32(key) }).generate({ timestamp: door.clock.now().getTime() });
  const enrolled = await browser.submit("/login/enrol/totp/finish", { code, label: "" });
  const recovery = enrolled.text.match(/\b[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\b/g) ?? [];
  expect(recovery).toHaveLength(10);
  for (const each of recovery) secrets.add(each).add(each.replaceAll("-", ""));
  await browser.get("/login/next");
  seen(browser);
  expect((await browser.get("/account")).status).toBe(200);
  seen(browser);
  const again = door.browser();
  await door.signIn(again, { name: userName });
  await again.submit("/login/second-factor/recovery", { code: recovery[0] ?? "" });
  await again.get("/login/next");
  seen(again);
  expect((await again.get("/account")).status).toBe(200);
  const baseUrl = "https://rollcall.example.com";
  const { link } = await door.work((work) =>
    handOutLink(work, { personId, purpose: "reset", delivery: "show", keyRing, settings: door.settings, baseUrl }),
  );
  secrets.add(link ?? "-").add(String(link).split("#")[1] ?? "-");
  const third = door.browser();
  await third.get("/login/link");
  const linkCode = String(link).split("#").at(-1) ?? "";
  await third.submit("/login/link", { code: linkCode });
  expect((await third.submit("/login/link/password", { code: linkCode, password: OTHER, again: OTHER })).status).toBe(200);
  secrets.add(linkCode);
  const stored = await everythingStored();
  expect(logged.length).toBeGreaterThan(0);
  expect(stored).toContain(personId);
  for (const secret of secrets) {
    expect([secret, secret.length > 8]).toEqual([secret, true]);
    const forms = [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString("hex"),
      Buffer.from(secret, "base64url").toString("hex"),
      Buffer.from(secret).toString("base64").replace(/=+$/, ""),
    ];
    for (const form of forms) expect([secret, form, logged.includes(form), stored.includes(form)]).toEqual([secret, form, false, false]);
  }
});
