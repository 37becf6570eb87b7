import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Writable } from "node:stream";
import { pino } from "pino";
import type { Context } from "../../src/context.ts";
import { inTransaction } from "../../src/db/database.ts";
import { erasePerson } from "../../src/directory/erasure.ts";
import { exportPerson } from "../../src/directory/export.ts";
import { forgetNotices } from "../../src/directory/notice-retention.ts";
import { canReach, tellPerson, type NoticeData, type NoticeName, type TellOptions } from "../../src/directory/notices.ts";
import { openNotifier, type Notifier } from "../../src/notify/notifier.ts";
import { undeliverableEmail } from "../../src/directory/undeliverable.ts";
import { readUnsubscribeToken } from "../../src/directory/unsubscribing.ts";
import { sendNotice } from "../../src/notify/send-notice.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { DAY_ONE, HOUR, insertPerson, later, standingClock } from "../directory/fixtures.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { startMailServer, type MailServer, type MailServerOptions } from "../helpers/mail-server.ts";
import { testKeyRing } from "../helpers/sync.ts";

const BASE = "https://rollcall.example.com";
const TOKEN = "qT7mZx0vSecretTokenOfALink";
// Six digits alone may stand in a time or an id, too.
const CODE = "481516-No-Time";

let db: TestDatabase;
let mail: MailServer;
let notifier: Notifier;
let clock: ReturnType<typeof standingClock>;
let logged: string[];
let ctx: Context;
let ada: string;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

beforeEach(async () => {
  clock = standingClock();
  logged = [];
  const log = pino(
    { level: "trace" },
    new Writable({ write: (chunk: Buffer, _encoding, done) => (logged.push(chunk.toString()), done()) }),
  );
  ctx = testContext({ now: clock.now, log });
  await start();
  ada = await insertPerson(db.pool, { email: "ada@example.com", attributes: { preferredLanguage: "fi-FI", timezone: "Europe/Helsinki" } });
});
afterEach(async () => {
  await notifier.close();
  await mail.stop();
  await db.pool.query(
    "delete from notices; delete from notice_preferences; delete from graphile_worker._private_jobs; delete from people; delete from person_keys",
  );
});

async function start(options: MailServerOptions & { user?: string; password?: string } = {}): Promise<void> {
  mail = await startMailServer(options);
  notifier = openNotifier({
    settings: settingsFor({ user: options.user, password: options.password }),
    baseUrl: BASE,
  });
}

function settingsFor(smtp: { user?: string | undefined; password?: string | undefined } = {}) {
  return signInSettings.parse({
    notify: {
      name: "Analytical Engines",
      email: {
        provider: "smtp",
        from: "Rollcall <rollcall@engines.example>",
        replyTo: "help@engines.example",
        smtp: { host: mail.host, port: mail.port, caFile: mail.caFile, timeoutSeconds: 2, ...smtp },
      },
    },
  }).notify;
}

async function restart(options: Parameters<typeof start>[0]): Promise<void> {
  await notifier.close();
  await mail.stop();
  await start(options);
}

async function tell<N extends NoticeName>(notice: N, data?: NoticeData<N>, to?: TellOptions<N>["to"]): Promise<void> {
  await inTransaction(db, ctx, (each) =>
    tellPerson(each, { keyRing: testKeyRing, personId: ada, notice, ...(data ? { data } : {}), ...(to ? { to } : {}) }),
  );
}

interface Job {
  id: string;
  run_at: Date;
}

/** Takes the jobs that are due off the queue and does them, as a worker would; says how many there were. */
async function doJobs(): Promise<number> {
  const { rows } = await db.pool.query<{ payload: { id: string } }>(
    `delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t where t.id = j.task_id and t.identifier = 'send_notice' and j.run_at <= greatest($1, now()) returning j.payload`,
    [clock.now()],
  );
  for (const { payload } of rows) await sendNotice(ctx, { db, keyRing: testKeyRing, notifier, id: payload.id });
  return rows.length;
}

const waiting = async () => (await db.pool.query<Job>("select payload ->> 'id' as id, run_at from graphile_worker._private_jobs")).rows;
const notices = async () =>
  (
    await db.pool.query<Record<string, unknown>>(
      "select notice, channel, language, state, attempts, problem, content is null as emptied from notices order by created_at, id",
    )
  ).rows;
const events = async () =>
  (
    await db.pool.query<{ name: string }>("select name from audit_events where name like 'notice.%' and subject_id = $1 order by id", [ada])
  ).rows.map(({ name }) => name);
const invitation = () => ({ link: `${BASE}/login/link#${TOKEN}`, until: later(6 * HOUR, clock.now()) });

/** Every text of the database and of the log. */
async function everything(): Promise<string> {
  const { rows } = await db.pool.query<{ text: string }>(
    `select (select coalesce(string_agg(n::text, ''), '') from notices n) || (select coalesce(string_agg(j::text, ''), '') from graphile_worker._private_jobs j)
       || (select coalesce(string_agg(e::text, ''), '') from audit_events e) as text`,
  );
  return `${rows[0]?.text ?? ""}${logged.join("")}`;
}

describe("a notice", () => {
  test("G1: an invitation comes in the person's language and time zone, as plain text and HTML, over an encrypted connection", async () => {
    await tell("invitation", invitation());
    expect(mail.mails).toHaveLength(0);
    await doJobs();
    const [came] = mail.mails;
    expect(came).toMatchObject({
      to: ["ada@example.com"],
      secure: true,
      parsed: { from: { address: "rollcall@engines.example", name: "Rollcall" }, replyTo: [{ address: "help@engines.example" }] },
    });
    expect(came?.parsed.subject).toBe("Tilisi: Analytical Engines");
    for (const text of [came?.parsed.text, came?.parsed.html]) {
      expect(text).toContain(`${BASE}/login/link#${TOKEN}`);
      expect(text).toContain("16.00 UTC+2");
    }
    expect(came?.parsed.html).toContain('<html lang="fi">');
    expect(came?.parsed.html).not.toMatch(/<(img|script|link|iframe)\b|url\(/);
    const header = (name: string) => came?.parsed.headers.find(({ key }) => key === name)?.value;
    expect(header("auto-submitted")).toBe("auto-generated");
    expect(header("list-unsubscribe")).toBeUndefined();
    expect(await notices()).toEqual([
      { notice: "invitation", channel: "email", language: "fi", state: "sent", attempts: 1, problem: null, emptied: true },
    ]);
  });

  test("no link and no code stands readable anywhere, before or after", async () => {
    await tell("invitation", invitation());
    await tell("code", { code: CODE, until: later(HOUR) }, { channel: "email", address: "new@example.com" });
    const look = async () => {
      const text = await everything();
      for (const secret of [TOKEN, CODE, "new@example.com", "ada@example.com"]) expect(text).not.toContain(secret);
    };
    await look();
    mail.next("echo", "echo");
    await doJobs();
    await look();
    for (const { problem } of await notices()) expect(problem).toMatch(/451 .*…/);
    clock.forward(60_000);
    await doJobs();
    await look();
    expect(mail.mails.map(({ to }) => to[0]).sort()).toEqual(["ada@example.com", "new@example.com"]);
  });

  test("the same news within a minute is told once, another's and later ones are told, links always", async () => {
    for (const factor of ["totp", "totp", "passkey"]) await tell("factor.added", { factor });
    await Promise.all([tell("password.changed"), tell("password.changed"), tell("password.changed")]);
    await tell("invitation", invitation());
    await tell("invitation", invitation());
    expect((await notices()).map(({ notice }) => notice).sort()).toEqual([
      "factor.added",
      "factor.added",
      "invitation",
      "invitation",
      "password.changed",
    ]);
    clock.forward(61_000);
    await tell("password.changed");
    expect((await notices()).filter(({ notice }) => notice === "password.changed")).toHaveLength(2);
    expect(await doJobs()).toBe(6);
    expect(mail.mails).toHaveLength(6);
  });

  test("G7: optional ones come as the person chose and say where to turn them off; security ones come whatever was chosen", async () => {
    const grant = { role: "Editor", unit: "Sales" };
    await tell("grant.given", grant);
    await tell("grant.ends_soon", { ...grant, until: later(HOUR) });
    await db.pool.query(
      "insert into notice_preferences values ($1, 'grant.given', true, now()), ($1, 'grant.ends_soon', false, now()), ($1, 'password.changed', false, now())",
      [ada],
    );
    clock.forward(61_000);
    await tell("grant.given", grant);
    await tell("grant.ends_soon", { ...grant, until: later(HOUR) });
    await tell("password.changed");
    await doJobs();
    expect((await notices()).map(({ notice }) => notice)).toEqual([
      "grant.ends_soon",
      expect.stringMatching(/grant|password/),
      expect.stringMatching(/grant|password/),
    ]);
    const links = mail.mails.map(({ parsed }) => parsed.headers.find(({ key }) => key === "list-unsubscribe")?.value).sort();
    expect(links).toEqual([expect.any(String), expect.any(String), undefined]);
    for (const link of links.slice(0, 2)) {
      const [, token = ""] = new RegExp(`^<${BASE}/unsubscribe/(.*)>$`).exec(link ?? "") ?? [];
      const about = readUnsubscribeToken(db.pool, { token, keyRing: testKeyRing });
      expect(await about).toEqual({ personId: ada, notice: expect.stringMatching(/^grant\./) });
      const other = ada.replace(/^./, (first) => (first === "0" ? "1" : "0"));
      for (const wrong of [
        token.replace(ada, other),
        token.replace(/grant\.\w+/, "password.changed"),
        token.slice(0, -1),
        `${token}A`,
        "",
        "x",
      ])
        await expect(readUnsubscribeToken(db.pool, { token: wrong, keyRing: testKeyRing })).rejects.toMatchObject({ field: "link" });
    }
    expect(await events()).toEqual(["notice.queued"]);
  });

  test("is skipped with the reason where it can't be sent", async () => {
    await tell("password.changed", undefined, { channel: "sms", address: "+358401234567" });
    await db.pool.query("update people set email = null where id = $1", [ada]);
    await tell("sessions.ended");
    await doJobs();
    expect((await notices()).map(({ state, problem, emptied }) => ({ state, problem, emptied }))).toEqual(
      expect.arrayContaining([
        { state: "skipped", problem: "Nothing is set up to send this: signIn.notify.sms.provider is off.", emptied: true },
        { state: "skipped", problem: "The person has no e-mail address.", emptied: true },
      ]),
    );
    expect(canReach(signInSettings.parse({}))).toBe(false);
    expect(canReach({ notify: settingsFor() })).toBe(true);
  });

  test("never takes anybody elsewhere: a link to another address is not sent", async () => {
    await tell("invitation", { link: "https://rollcall.example.com.evil.example/x", until: later(HOUR) });
    await doJobs();
    expect(mail.begun()).toBe(0);
    expect(await notices()).toMatchObject([{ state: "failed", problem: expect.stringContaining("http.publicUrl") }]);
  });

  test("what outsiders choose (names, browsers) puts no address and no header into a message", async () => {
    await db.pool.query("update people set display_name = $2 where id = $1", [
      ada,
      "Visit https://evil.example now\r\nBcc: all@example.com",
    ]);
    await tell("device.new", { address: "192.0.2.7", userAgent: "Your account is locked: call evil.example", at: DAY_ONE });
    await tell("sign_in.linked", { connection: "Entra\r\nBcc: x@evil.example\r\n\r\n<b>" });
    await doJobs();
    for (const { raw, parsed, to } of mail.mails) {
      expect(to).toEqual(["ada@example.com"]);
      expect(parsed.bcc ?? []).toEqual([]);
      expect(raw).not.toContain("locked: call");
      expect(raw).not.toMatch(/https:\/\/evil/);
      expect(parsed.html).not.toContain("<b>");
    }
    for (const address of [
      "a@example.com\r\nRCPT TO:<b@example.com>",
      "a@example.com, b@example.com",
      "<a@example.com>",
      "a b@example.com",
    ]) {
      await tell("code", { code: CODE, until: later(HOUR) }, { channel: "email", address });
    }
    await doJobs();
    expect(mail.mails).toHaveLength(2);
  });

  test("goes with the person: erased, and handed out before", async () => {
    await tell("password.changed");
    await doJobs();
    let document = "";
    for await (const part of exportPerson(db.pool, { personId: ada, keyRing: testKeyRing, at: clock.now() })) document += part;
    expect(JSON.parse(document)).toMatchObject({ notices: [{ notice: "password.changed", state: "sent" }] });
    await db.pool.query("update people set state = 'deactivated' where id = $1", [ada]);
    await inTransaction(db, ctx, (w) =>
      erasePerson(w, { personId: ada, confirm: `u-${ada}`, reason: "asked for", force: true, keyRing: testKeyRing }),
    );
    expect(await notices()).toEqual([]);
  });
});

describe("a mail server that refuses or breaks off", () => {
  test("for now: tried again with growing waits, one message with one Message-ID in the end", async () => {
    await tell("password.changed");
    mail.next({ refuse: "RCPT", code: 451, words: "greylisted" }, "drop", { refuse: "DATA", code: 452 }, { refuse: "MAIL", code: 421 });
    const waits: number[] = [];
    for (let tries = 1; tries <= 4; tries++) {
      expect(await doJobs()).toBe(1);
      expect(mail.begun()).toBe(tries);
      expect(await notices()).toMatchObject([{ state: "queued", attempts: tries, emptied: false }]);
      const [job] = await waiting();
      waits.push((job?.run_at.getTime() ?? 0) - clock.now().getTime());
      clock.set(job?.run_at ?? clock.now());
    }
    expect(waits).toEqual([5_000, 15_000, 60_000, 300_000]);
    expect(await doJobs()).toBe(1);
    expect(mail.mails).toHaveLength(1);
    expect(mail.begun()).toBe(5);
    expect(await notices()).toMatchObject([{ state: "sent", attempts: 5, problem: null, emptied: true }]);
    expect(mail.mails[0]?.parsed.messageId).toMatch(/^<[0-9a-f-]{36}@engines\.example>$/);
    expect(await waiting()).toEqual([]);
  });

  test("for good: not tried again, told to administrators in the server's own words, kept for sending again", async () => {
    await tell("password.changed");
    mail.next({ refuse: "RCPT", code: 550, words: "5.1.1 no such mailbox" });
    await doJobs();
    expect(await waiting()).toEqual([]);
    expect(await notices()).toMatchObject([
      { state: "failed", problem: expect.stringContaining("550 5.1.1 no such mailbox"), emptied: false },
    ]);
    expect(await events()).toEqual(["notice.queued", "notice.failed"]);
    clock.forward(8 * 24 * HOUR);
    await inTransaction(db, ctx, forgetNotices);
    expect(await notices()).toMatchObject([{ state: "failed", emptied: true }]);
    clock.forward(90 * 24 * HOUR);
    expect(await inTransaction(db, ctx, forgetNotices)).toBe(1);
  });

  test("G7: where a mail server says that there is nobody, administrators see it until something comes through there", async () => {
    const standing = () => undeliverableEmail(db.pool, { personId: ada, keyRing: testKeyRing });
    const tries: [number, string, boolean][] = [
      [550, "5.7.1 we don't relay", false],
      [552, "mailbox full", false],
      [550, "no such user <ada@example.com>", true],
      [550, "5.1.1 user unknown", true],
    ];
    for (const [code, words, isNobody] of tries) {
      mail.next({ refuse: "RCPT", code, words });
      clock.forward(61_000);
      await tell("password.changed");
      await doJobs();
      const found = await standing();
      expect([words, found !== undefined]).toEqual([words, isNobody]);
      if (found) expect(found.problem).toMatch(/answered: 550/);
      expect(found?.problem ?? "").not.toContain("ada@example.com");
    }
    expect(await standing()).toMatchObject({ count: 2 });
    await db.pool.query("update people set email = 'elsewhere@example.com' where id = $1", [ada]);
    expect(await standing()).toBeUndefined();
    await db.pool.query("update people set email = 'Ada@example.com' where id = $1", [ada]);
    clock.forward(61_000);
    await tell("password.changed");
    await doJobs();
    expect(await standing()).toBeUndefined();
    const { rowCount } = await db.pool.query("select from undeliverable_addresses where person_id = $1", [ada]);
    expect(rowCount).toBe(0);
  });

  test("a wrong password of ours is no fault of the message: it goes once the operator has set it right", async () => {
    await restart({ account: { user: "rollcall", password: "right" }, user: "rollcall", password: "wrong" });
    await tell("password.changed");
    await doJobs();
    expect(await notices()).toMatchObject([{ state: "queued", problem: expect.stringContaining("535") }]);
    await notifier.close();
    notifier = openNotifier({ settings: settingsFor({ user: "rollcall", password: "right" }), baseUrl: BASE });
    clock.forward(HOUR);
    await doJobs();
    expect(mail.mails).toMatchObject([{ user: "rollcall", secure: true }]);
    expect(await everything()).not.toMatch(/wrong"|"right"/);
  });

  test("nothing is sent to a server that does not encrypt, or whose certificate nobody vouches for", async () => {
    await restart({ plain: true });
    await tell("password.changed");
    await doJobs();
    expect(mail.begun()).toBe(0);
    expect(await notices()).toMatchObject([{ state: "queued" }]);
    await restart({});
    await notifier.close();
    const { smtp, ...email } = settingsFor().email;
    const { caFile: _believed, ...unbelieved } = smtp;
    notifier = openNotifier({ settings: { ...settingsFor(), email: { ...email, smtp: unbelieved } }, baseUrl: BASE });
    clock.forward(HOUR);
    await doJobs();
    expect(mail.begun()).toBe(0);
    expect(await notices()).toMatchObject([{ state: "queued", attempts: 2 }]);
  });

  test("a code that has ended meanwhile is not sent, and nothing is left of it", async () => {
    await tell("code", { code: CODE, until: later(60_000) });
    mail.next({ refuse: "RCPT", code: 451 });
    await doJobs();
    clock.forward(61_000);
    await doJobs();
    expect(mail.begun()).toBe(1);
    expect(await notices()).toMatchObject([{ state: "failed", emptied: true }]);
    expect(await waiting()).toEqual([]);
  });
});
