import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { openNotifier, type Notifier } from "../../src/notify/notifier.ts";
import type { Message } from "../../src/notify/provider.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { loopback } from "../helpers/database.ts";

interface Came {
  headers: IncomingMessage["headers"];
  body: string;
}

const came: Came[] = [];
const answers: { status: number; body?: string; headers?: Record<string, string> }[] = [];
let url: string;
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    came.push({ headers: request.headers, body });
    const { status, body: said = "", headers = {} } = answers.shift() ?? { status: 202 };
    response.writeHead(status, headers).end(said);
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/send`;
});
afterAll(() => new Promise((closed) => server.close(closed)));
afterEach(() => {
  came.length = 0;
  answers.length = 0;
});

const SECRET = "a secret of the webhook, long enough";
const now = new Date("2026-03-01T08:00:00Z");
const signal = new AbortController().signal;
const message: Message = {
  id: "0b9a6c0e-7f0c-4f43-8f5b-0f6a4d8a2a11",
  channel: "sms",
  notice: "code",
  to: "+358401234567",
  language: "en",
  subject: "Your code",
  text: "long",
  html: "<p>long</p>",
  short: '481516 is your "code" & {secret}',
};
const open = (notify: object, network = loopback): Notifier =>
  openNotifier({ settings: signInSettings.parse({ notify }).notify, baseUrl: "https://rollcall.example.com", network });
const sms = (http: object, network = loopback) =>
  open({ sms: { provider: "http", http: { url, secret: "sms-secret", user: "rollcall", ...http } } }, network).providers.sms;
const fault = async (sending: Promise<void> | undefined) => {
  try {
    await sending;
  } catch (error) {
    return error as { kind: string; message: string; retryAfterMs?: number };
  }
  throw new Error("it was taken");
};

describe("an SMS provider", () => {
  test("gets JSON or a form as the settings say, each value as it is", async () => {
    await sms({})?.send(message, { signal, now });
    const form = { format: "form", fields: { To: "{to}", Body: "{text}", Ref: "{id}" }, headers: { Authorization: "Basic {basic}" } };
    await sms(form)?.send(message, { signal, now });
    expect(JSON.parse(came[0]?.body ?? "")).toEqual({ to: message.to, from: "Rollcall", text: message.short });
    expect(came[0]?.headers).toMatchObject({ authorization: "Bearer sms-secret", "content-type": "application/json" });
    expect(Object.fromEntries(new URLSearchParams(came[1]?.body))).toEqual({ To: message.to, Body: message.short, Ref: message.id });
    expect(came[1]?.headers.authorization).toBe(`Basic ${Buffer.from("rollcall:sms-secret").toString("base64")}`);
  });

  test.each([
    [400, "rejected"],
    [401, "denied"],
    [404, "misconfigured"],
    [429, "throttled"],
    [302, "misconfigured"],
    [503, "transient"],
  ])("its %s is %s, in its own words without our secrets", async (status, kind) => {
    answers.push({
      status,
      body: 'bad key sms-secret for 481516 is your "code" & {secret}',
      headers: { "retry-after": "30", location: "http://127.0.0.1:1/" },
    });
    const thrown = await fault(sms({})?.send(message, { signal, now }));
    expect(thrown).toMatchObject({ kind, message: `The SMS provider answered ${status}: bad key … for …` });
    expect(thrown.retryAfterMs).toBe(30_000);
  });

  test("no number that is none, and no address that the operator did not open", async () => {
    expect(await fault(sms({})?.send({ ...message, to: "0401234567\r\nx" }, { signal, now }))).toMatchObject({ kind: "rejected" });
    expect(await fault(sms({}, { allow: [] })?.send(message, { signal, now }))).toMatchObject({ kind: "misconfigured" });
    expect(came).toEqual([]);
  });
});

/** The first problem of settings, as an operator reads it. */
const problem = (notify: object) => {
  const issue = signInSettings.safeParse({ notify }).error?.issues[0];
  return issue && `${issue.path.join(".")} ${issue.message}`;
};

test.each([
  [{ url: undefined }, /^notify\.sms\.http\.url must be given/],
  [{ url: "http://sms.example.com/" }, /url must be an https address; http is for this machine alone/],
  [{ url: "https://AC1:token@api.twilio.com/" }, /must hold no user and password/],
  [{ url: "api.twilio.com" }, /url must be an https address/],
  [{ fields: { To: "{to}", Body: "{txt}" } }, /fields\.Body knows no \{txt\}; there are \{to\}/],
  [{ fields: { To: "{to}" } }, /fields must hold \{text\}/],
  [{ secret: "" }, /secret must be given where/],
  [{ secret: "token\n" }, /secret must be one line/],
  [{ headers: { "Content-Length": "1" } }, /headers/],
  [{ headers: { "X-Key": "a\r\nHost: b" } }, /must be one line/],
])("what an SMS provider could not do with is told at the start: %j", (wrong, why) => {
  expect(problem({ sms: { provider: "http", http: { url: "https://sms.example.com/", secret: "x", ...wrong } } })).toMatch(why);
});

test.each([
  [{ url: "http://hooks.example.com/", secret: SECRET }, /url must be an https address; http is for this machine alone/],
  [{ url: `https://rollcall:${SECRET}@hooks.example.com/`, secret: SECRET }, /must hold no user and password/],
  [{ url: "https://hooks.example.com/", secret: "short" }, /secret must be at least 32/],
  [{ url: "ftp://hooks.example.com/", secret: SECRET }, /url must be an https address/],
  [{ secret: SECRET }, /url must be given/],
])("what a webhook could not do with is told at the start: %#", (webhook, why) => {
  expect(problem({ webhook })).toMatch(why);
});

test("G7: what the docs say for Twilio is the form that its API takes", async () => {
  const user = `AC${"0".repeat(32)}`;
  const form = {
    format: "form",
    fields: { To: "{to}", From: "{from}", Body: "{text}" },
    headers: { Authorization: "Basic {basic}" },
    user,
    from: "+358401234567",
  };
  await sms(form)?.send(message, { signal, now });
  expect(came[0]?.headers).toMatchObject({
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${Buffer.from(`${user}:sms-secret`).toString("base64")}`,
  });
  expect(new URLSearchParams(came[0]?.body).toString()).toBe(came[0]?.body);
  expect(Object.fromEntries(new URLSearchParams(came[0]?.body))).toEqual({ To: message.to, From: "+358401234567", Body: message.short });
  answers.push({ status: 400, body: '{"code":21211,"message":"Invalid \'To\' Phone Number","status":400}' });
  expect(await fault(sms(form)?.send(message, { signal, now }))).toMatchObject({
    kind: "rejected",
    message: expect.stringContaining("21211"),
  });
});

describe("the operator's own system", () => {
  const webhook = () => ({ url, secret: SECRET });

  test("gets messages and events signed over the time and the body, with an id that stays", async () => {
    const notifier = open({ webhook: webhook(), email: { provider: "webhook" } });
    await notifier.providers.email?.send({ ...message, channel: "email", to: "ada@example.com" }, { signal, now });
    await notifier.webhook?.send({ id: "event-1", event: "incident.opened", at: now.toISOString(), body: { incident: 7 } }, { now });
    for (const { headers, body } of came) {
      const expected = createHmac("sha256", SECRET)
        .update(`${String(headers["rollcall-timestamp"])}.${body}`)
        .digest("hex");
      expect(headers["rollcall-signature"]).toBe(`v1=${expected}`);
      expect(headers["rollcall-timestamp"]).toBe(String(now.getTime() / 1000));
    }
    expect(JSON.parse(came[0]?.body ?? "")).toMatchObject({
      id: message.id,
      event: "message",
      data: { notice: "code", channel: "email", to: "ada@example.com", text: "long", html: "<p>long</p>" },
    });
    expect(came[1]).toMatchObject({ headers: { "rollcall-id": "event-1", "rollcall-event": "incident.opened" } });
  });

  test("is asked for whole: a provider without an address, or an address without a secret, stops the start", () => {
    expect(signInSettings.safeParse({ notify: { email: { provider: "webhook" } } }).error?.issues[0]?.path).toEqual([
      "notify",
      "webhook",
      "url",
    ]);
    expect(signInSettings.safeParse({ notify: { webhook: { url } } }).error?.issues[0]?.path).toEqual(["notify", "webhook", "secret"]);
    expect(signInSettings.safeParse({ notify: { email: { from: "a@b.example\r\nBcc: c@d.example" } } }).success).toBe(false);
    expect(open({}).webhook).toBeUndefined();
  });
});
