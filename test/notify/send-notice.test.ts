import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { erasePerson } from "../../src/directory/erasure.ts";
import { exportPerson } from "../../src/directory/export.ts";
import { canReach } from "../../src/directory/notices.ts";
import { readUnsubscribeToken } from "../../src/directory/unsubscribing.ts";
import { signInSettings } from "../../src/sign-in-settings.ts";
import { DAY_ONE, HOUR, later } from "../directory/fixtures.ts";
import { testKeyRing } from "../helpers/sync.ts";
import { BASE, openNoticeDoor, type NoticeDoor } from "./notice-door.ts";

const TOKEN = "qT7mZx0vSecretTokenOfALink";
// Six digits alone may stand in a time or an id, too.
const CODE = "481516-No-Time";

let door: NoticeDoor;
beforeAll(async () => {
  door = await openNoticeDoor();
});
beforeEach(() => door.renew());
afterAll(() => door?.close());

const invitation = () => ({ link: `${BASE}/login/link#${TOKEN}`, until: later(6 * HOUR, door.clock.now()) });

describe("a notice", () => {
  test("G1: an invitation comes in the person's language and time zone, as plain text and HTML, over an encrypted connection", async () => {
    await door.tell("invitation", invitation());
    expect(door.mail.mails).toHaveLength(0);
    await door.doJobs();
    const [came] = door.mail.mails;
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
    expect(await door.notices()).toEqual([
      { notice: "invitation", channel: "email", language: "fi", state: "sent", attempts: 1, problem: null, emptied: true },
    ]);
  });

  test("no link and no code stands readable anywhere, before or after", async () => {
    await door.tell("invitation", invitation());
    await door.tell("code", { code: CODE, until: later(HOUR) }, { channel: "email", address: "new@example.com" });
    const look = async () => {
      const text = await door.everything();
      for (const secret of [TOKEN, CODE, "new@example.com", "ada@example.com"]) expect(text).not.toContain(secret);
    };
    await look();
    door.mail.next("echo", "echo");
    await door.doJobs();
    await look();
    for (const { problem } of await door.notices()) expect(problem).toMatch(/451 .*…/);
    door.clock.forward(60_000);
    await door.doJobs();
    await look();
    expect(door.mail.mails.map(({ to }) => to[0]).sort()).toEqual(["ada@example.com", "new@example.com"]);
  });

  test("the same news within a minute is told once, another's and later ones are told, links always", async () => {
    for (const factor of ["totp", "totp", "passkey"]) await door.tell("factor.added", { factor });
    await Promise.all([door.tell("password.changed"), door.tell("password.changed"), door.tell("password.changed")]);
    await door.tell("invitation", invitation());
    await door.tell("invitation", invitation());
    expect((await door.notices()).map(({ notice }) => notice).sort()).toEqual([
      "factor.added",
      "factor.added",
      "invitation",
      "invitation",
      "password.changed",
    ]);
    door.clock.forward(61_000);
    await door.tell("password.changed");
    expect((await door.notices()).filter(({ notice }) => notice === "password.changed")).toHaveLength(2);
    expect(await door.doJobs()).toBe(6);
    expect(door.mail.mails).toHaveLength(6);
  });

  test("G7: optional ones come as the person chose and say where to turn them off; security ones come whatever was chosen", async () => {
    const grant = { role: "Editor", unit: "Sales" };
    await door.tell("grant.given", grant);
    await door.tell("grant.ends_soon", { ...grant, until: later(HOUR) });
    await door.db.pool.query(
      "insert into notice_preferences values ($1, 'grant.given', true, now()), ($1, 'grant.ends_soon', false, now()), ($1, 'password.changed', false, now())",
      [door.ada],
    );
    door.clock.forward(61_000);
    await door.tell("grant.given", grant);
    await door.tell("grant.ends_soon", { ...grant, until: later(HOUR) });
    await door.tell("password.changed");
    await door.doJobs();
    expect((await door.notices()).map(({ notice }) => notice)).toEqual([
      "grant.ends_soon",
      expect.stringMatching(/grant|password/),
      expect.stringMatching(/grant|password/),
    ]);
    const links = door.mail.mails.map(({ parsed }) => parsed.headers.find(({ key }) => key === "list-unsubscribe")?.value).sort();
    expect(links).toEqual([expect.any(String), expect.any(String), undefined]);
    for (const link of links.slice(0, 2)) {
      const [, token = ""] = new RegExp(`^<${BASE}/unsubscribe/(.*)>$`).exec(link ?? "") ?? [];
      const about = readUnsubscribeToken(door.db.pool, { token, keyRing: testKeyRing });
      expect(await about).toEqual({ personId: door.ada, notice: expect.stringMatching(/^grant\./) });
      const other = door.ada.replace(/^./, (first) => (first === "0" ? "1" : "0"));
      for (const wrong of [
        token.replace(door.ada, other),
        token.replace(/grant\.\w+/, "password.changed"),
        token.slice(0, -1),
        `${token}A`,
        "",
        "x",
      ])
        await expect(readUnsubscribeToken(door.db.pool, { token: wrong, keyRing: testKeyRing })).rejects.toMatchObject({ field: "link" });
    }
    expect(await door.events()).toEqual(["notice.queued"]);
  });

  test("is skipped with the reason where it can't be sent", async () => {
    await door.tell("password.changed", undefined, { channel: "sms", address: "+358401234567" });
    await door.db.pool.query("update people set email = null where id = $1", [door.ada]);
    await door.tell("sessions.ended");
    await door.doJobs();
    expect((await door.notices()).map(({ state, problem, emptied }) => ({ state, problem, emptied }))).toEqual(
      expect.arrayContaining([
        { state: "skipped", problem: "Nothing is set up to send this: signIn.notify.sms.provider is off.", emptied: true },
        { state: "skipped", problem: "The person has no e-mail address.", emptied: true },
      ]),
    );
    expect(canReach(signInSettings.parse({}))).toBe(false);
    expect(canReach({ notify: door.settingsFor() })).toBe(true);
  });

  test("never takes anybody elsewhere: a link to another address is not sent", async () => {
    await door.tell("invitation", { link: "https://rollcall.example.com.evil.example/x", until: later(HOUR) });
    await door.doJobs();
    expect(door.mail.begun()).toBe(0);
    expect(await door.notices()).toMatchObject([{ state: "failed", problem: expect.stringContaining("http.publicUrl") }]);
  });

  test("what outsiders choose (names, browsers) puts no address and no header into a message", async () => {
    await door.db.pool.query("update people set display_name = $2 where id = $1", [
      door.ada,
      "Visit https://evil.example now\r\nBcc: all@example.com",
    ]);
    await door.tell("device.new", { address: "192.0.2.7", userAgent: "Your account is locked: call evil.example", at: DAY_ONE });
    await door.tell("sign_in.linked", { connection: "Entra\r\nBcc: x@evil.example\r\n\r\n<b>" });
    await door.doJobs();
    for (const { raw, parsed, to } of door.mail.mails) {
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
      await door.tell("code", { code: CODE, until: later(HOUR) }, { channel: "email", address });
    }
    await door.doJobs();
    expect(door.mail.mails).toHaveLength(2);
  });

  test("goes with the person: erased, and handed out before", async () => {
    await door.tell("password.changed");
    await door.doJobs();
    let document = "";
    for await (const part of exportPerson(door.db.pool, { personId: door.ada, keyRing: testKeyRing, at: door.clock.now() }))
      document += part;
    expect(JSON.parse(document)).toMatchObject({ notices: [{ notice: "password.changed", state: "sent" }] });
    await door.db.pool.query("update people set state = 'deactivated' where id = $1", [door.ada]);
    await inTransaction(door.db, door.ctx, (w) =>
      erasePerson(w, { personId: door.ada, confirm: `u-${door.ada}`, reason: "asked for", force: true, keyRing: testKeyRing }),
    );
    expect(await door.notices()).toEqual([]);
  });
});
