import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadLanguages } from "../../src/notify/languages.ts";
import { openNotifier } from "../../src/notify/notifier.ts";
import { renderNotice } from "../../src/notify/render.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { startMailServer, type MailServer } from "../helpers/mail-server.ts";
import { rsaKey } from "../helpers/rsa-key.ts";
import { verifiedFields } from "./dkim-verifier.ts";

const BASE = "https://rollcall.example.com";
const now = new Date("2027-03-01T08:00:00Z");
const { privateKey, publicKey } = rsaKey("dkim");
const folder = mkdtempSync(path.join(os.tmpdir(), "rollcall-dkim-"));
const fileOf = (name: string, text: string | Buffer) => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
const pem = { type: "pkcs8", format: "pem" } as const;

let mail: MailServer;
beforeAll(async () => void (mail = await startMailServer()));
afterAll(async () => {
  await mail?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const open = (keyFile: string) =>
  openNotifier({
    settings: signInSettings.parse({
      notify: {
        email: {
          provider: "smtp",
          from: "Rollcall <rollcall@engines.example>",
          replyTo: "help@engines.example",
          smtp: { host: mail.host, port: mail.port, caFile: mail.caFile },
          dkim: { domain: "engines.example", selector: "rollcall", keyFile },
        },
      },
    }).notify,
    baseUrl: BASE,
  });

test("G7: a message that came is signed as RFC 6376 says, in any language, and whatever is changed on the way shows", async () => {
  const notifier = open(fileOf("dkim.pem", privateKey.export(pem)));
  const languages = loadLanguages();
  for (const language of languages.tags) {
    const unsubscribeUrl = `${BASE}/unsubscribe/token`;
    const rendered = renderNotice({
      notice: "grant.given",
      data: { role: "Kääntäjä – Übersetzer", unit: "Ñandú" },
      languages,
      language,
      organisation: "Ääkköset",
      baseUrl: BASE,
      unsubscribeUrl,
      person: { name: "Åsa Öberg" },
    });
    await notifier.providers.email?.send(
      { id: `id-${language}`, channel: "email", notice: "grant.given", to: "asa@example.com", language, ...rendered, unsubscribeUrl },
      { signal: new AbortController().signal, now },
    );
  }
  await notifier.close();
  expect(mail.mails).toHaveLength(languages.tags.length);
  for (const { raw, parsed } of mail.mails) {
    const header = (name: string) => parsed.headers.find(({ key }) => key === name)?.value;
    const fields = verifiedFields(raw, publicKey);
    for (const name of ["from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"])
      expect(fields).toContain(name);
    expect(header("list-unsubscribe")).toBe(`<${BASE}/unsubscribe/token>`);
    expect(header("list-unsubscribe-post")).toBe("List-Unsubscribe=One-Click");
    expect(header("dkim-signature")).toMatch(/d=engines\.example;.*s=rollcall;/s);
    const changes: [RegExp, string][] = [
      [/^Subject: /m, "Subject: Re: "],
      [/^From: Rollcall/m, "From: Mallory"],
      [/One-Click/, "One-Clock"],
      [/(\r\n\r\n[^]*)rollcall\.example/, "$1mallory.example"],
    ];
    for (const [what, other] of changes) {
      expect(raw).toMatch(what);
      expect(verifiedFields(raw.replace(what, other), publicKey)).toBeUndefined();
    }
    const foreign = rsaKey("foreign dkim");
    expect(verifiedFields(raw, foreign.publicKey)).toBeUndefined();
  }
});

test.each([
  ["no key at all", "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n", /no private key/],
  ["an empty file", "", /no private key/],
  ["one of another kind", generateKeyPairSync("ed25519").privateKey.export(pem), /RSA key of 1024/],
  ["a weak one", generateKeyPairSync("rsa", { modulusLength: 512 }).privateKey.export(pem), /RSA key of 1024/],
  [
    "one with a passphrase",
    generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ ...pem, cipher: "aes-256-cbc", passphrase: "x" }),
    /no private key/,
  ],
])("a key file that mails can't be signed with is told at the start, and nothing goes unsigned: %s", (_what, text, why) => {
  const keyFile = fileOf("wrong.pem", text);
  const opened = () => open(keyFile);
  expect(opened).toThrow(why);
  expect(opened).toThrow(expect.objectContaining({ code: "misconfigured", field: "signIn.notify.email.dkim.keyFile" }));
  expect(() => open(path.join(folder, "none.pem"))).toThrow(/none\.pem can't be read/);
});
