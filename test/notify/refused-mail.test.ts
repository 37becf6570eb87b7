import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../src/db/database.ts";
import { forgetNotices } from "../../src/directory/notice-retention.ts";
import { undeliverableEmail } from "../../src/directory/undeliverable.ts";
import { HOUR, later } from "../directory/fixtures.ts";
import { testKeyRing } from "../helpers/sync.ts";
import { openNoticeDoor, type NoticeDoor } from "./notice-door.ts";

// Six digits alone may stand in a time or an id, too.
const CODE = "481516-No-Time";

let door: NoticeDoor;
beforeAll(async () => {
  door = await openNoticeDoor();
});
beforeEach(() => door.renew());
afterAll(() => door?.close());

describe("a mail server that refuses or breaks off", () => {
  test("for now: tried again with growing waits, one message with one Message-ID in the end", async () => {
    await door.tell("password.changed");
    door.mail.next(
      { refuse: "RCPT", code: 451, words: "greylisted" },
      "drop",
      { refuse: "DATA", code: 452 },
      { refuse: "MAIL", code: 421 },
    );
    const waits: number[] = [];
    for (let tries = 1; tries <= 4; tries++) {
      expect(await door.doJobs()).toBe(1);
      expect(door.mail.begun()).toBe(tries);
      expect(await door.notices()).toMatchObject([{ state: "queued", attempts: tries, emptied: false }]);
      const [job] = await door.waiting();
      waits.push((job?.run_at.getTime() ?? 0) - door.clock.now().getTime());
      door.clock.set(job?.run_at ?? door.clock.now());
    }
    expect(waits).toEqual([5_000, 15_000, 60_000, 300_000]);
    expect(await door.doJobs()).toBe(1);
    expect(door.mail.mails).toHaveLength(1);
    expect(door.mail.begun()).toBe(5);
    expect(await door.notices()).toMatchObject([{ state: "sent", attempts: 5, problem: null, emptied: true }]);
    expect(door.mail.mails[0]?.parsed.messageId).toMatch(/^<[0-9a-f-]{36}@engines\.example>$/);
    expect(await door.waiting()).toEqual([]);
  });

  test("for good: not tried again, told to administrators in the server's own words, kept for sending again", async () => {
    await door.tell("password.changed");
    door.mail.next({ refuse: "RCPT", code: 550, words: "5.1.1 no such mailbox" });
    await door.doJobs();
    expect(await door.waiting()).toEqual([]);
    expect(await door.notices()).toMatchObject([
      { state: "failed", problem: expect.stringContaining("550 5.1.1 no such mailbox"), emptied: false },
    ]);
    expect(await door.events()).toEqual(["notice.queued", "notice.failed"]);
    door.clock.forward(8 * 24 * HOUR);
    await inTransaction(door.db, door.ctx, forgetNotices);
    expect(await door.notices()).toMatchObject([{ state: "failed", emptied: true }]);
    door.clock.forward(90 * 24 * HOUR);
    expect(await inTransaction(door.db, door.ctx, forgetNotices)).toBe(1);
  });

  test("G7: where a mail server says that there is nobody, administrators see it until something comes through there", async () => {
    const standing = () => undeliverableEmail(door.db.pool, { personId: door.ada, keyRing: testKeyRing });
    const tries: [number, string, boolean][] = [
      [550, "5.7.1 we don't relay", false],
      [552, "mailbox full", false],
      [550, "no such user <ada@example.com>", true],
      [550, "5.1.1 user unknown", true],
    ];
    for (const [code, words, isNobody] of tries) {
      door.mail.next({ refuse: "RCPT", code, words });
      door.clock.forward(61_000);
      await door.tell("password.changed");
      await door.doJobs();
      const found = await standing();
      expect([words, found !== undefined]).toEqual([words, isNobody]);
      if (found) expect(found.problem).toMatch(/answered: 550/);
      expect(found?.problem ?? "").not.toContain("ada@example.com");
    }
    expect(await standing()).toMatchObject({ count: 2 });
    await door.db.pool.query("update people set email = 'elsewhere@example.com' where id = $1", [door.ada]);
    expect(await standing()).toBeUndefined();
    await door.db.pool.query("update people set email = 'Ada@example.com' where id = $1", [door.ada]);
    door.clock.forward(61_000);
    await door.tell("password.changed");
    await door.doJobs();
    expect(await standing()).toBeUndefined();
    const { rowCount } = await door.db.pool.query("select from undeliverable_addresses where person_id = $1", [door.ada]);
    expect(rowCount).toBe(0);
  });

  test("a wrong password of ours is no fault of the message: it goes once the operator has set it right", async () => {
    await door.restart({ account: { user: "rollcall", password: "right" }, user: "rollcall", password: "wrong" });
    await door.tell("password.changed");
    await door.doJobs();
    expect(await door.notices()).toMatchObject([{ state: "queued", problem: expect.stringContaining("535") }]);
    await door.notifyBy(door.settingsFor({ user: "rollcall", password: "right" }));
    door.clock.forward(HOUR);
    await door.doJobs();
    expect(door.mail.mails).toMatchObject([{ user: "rollcall", secure: true }]);
    expect(await door.everything()).not.toMatch(/wrong"|"right"/);
  });

  test("nothing is sent to a server that does not encrypt, or whose certificate nobody vouches for", async () => {
    await door.restart({ plain: true });
    await door.tell("password.changed");
    await door.doJobs();
    expect(door.mail.begun()).toBe(0);
    expect(await door.notices()).toMatchObject([{ state: "queued" }]);
    await door.restart({});
    const { smtp, ...email } = door.settingsFor().email;
    const { caFile: _believed, ...unbelieved } = smtp;
    await door.notifyBy({ ...door.settingsFor(), email: { ...email, smtp: unbelieved } });
    door.clock.forward(HOUR);
    await door.doJobs();
    expect(door.mail.begun()).toBe(0);
    expect(await door.notices()).toMatchObject([{ state: "queued", attempts: 2 }]);
  });

  test("a code that has ended meanwhile is not sent, and nothing is left of it", async () => {
    await door.tell("code", { code: CODE, until: later(60_000) });
    door.mail.next({ refuse: "RCPT", code: 451 });
    await door.doJobs();
    door.clock.forward(61_000);
    await door.doJobs();
    expect(door.mail.begun()).toBe(1);
    expect(await door.notices()).toMatchObject([{ state: "failed", emptied: true }]);
    expect(await door.waiting()).toEqual([]);
  });
});
