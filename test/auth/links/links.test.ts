import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { answerLink } from "../../../src/auth/links/answer.ts";
import { askForReset, sendReset } from "../../../src/auth/links/forgot.ts";
import { handOutLink, inviteWhenSaved, type HandingOut } from "../../../src/auth/links/hand-out.ts";
import { createLink, findLink, linksOf, revokeLink, useLink } from "../../../src/auth/links/links.ts";
import { pauseMinutes } from "../../../src/auth/links/reset-pause.ts";
import { setPassword } from "../../../src/auth/passwords/set.ts";
import { verifyPassword } from "../../../src/auth/passwords/verify.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { open, seal } from "../../../src/db/envelope.ts";
import { liftBlocks, raiseBlocks } from "../../../src/directory/blocks.ts";
import { openNotice } from "../../../src/directory/notices.ts";
import { personKeys } from "../../../src/directory/personal.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";
import { createLocalPerson } from "../../../src/sync/local-people.ts";
import { testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { keyRing } from "../../http/scim/door.ts";

const password = { argon2: { memoryKiB: 64, passes: 1, lanes: 1 } };
const settings = signInSettings.parse({ password, notify: { email: { provider: "smtp" } } });
const unreachable = signInSettings.parse({ password });
const baseUrl = "https://rollcall.example.com";
const GOOD = "Kiwi7-verglas.Tundra";
const OTHER = "four quiet otters juggle";

let db: TestDatabase;
let clock = new Date("2027-03-01T12:00:00Z");
const ctx = testContext({ now: () => clock });
const work = <T>(act: (work: Work) => Promise<T>) => inTransaction(db, ctx, act);
const newPerson = ({ state = "active" as "active" | "invited", email = true } = {}) => {
  const userName = `p-${randomUUID()}`;
  const emails = email ? { emails: [{ value: `${userName}@example.com`, type: "work", primary: true }] } : {};
  return work((each) => createLocalPerson(each, { contribution: { userName, ...emails }, state }));
};
const handOut = (personId: string, options: Partial<HandingOut> = {}) =>
  work((each) => handOutLink(each, { personId, purpose: "invitation", delivery: "show", keyRing, settings, baseUrl, ...options }));
const tokenIn = (link: string | null) => link?.split("#")[1] ?? "";
const answer = (token: string, chosen = GOOD) =>
  work((each) => answerLink(each, { token, password: chosen, keyRing, settings: settings.password }));
const fits = async (personId: string, typed = GOOD) =>
  (await verifyPassword(db.pool, { personId, password: typed, settings: settings.password, now: clock })).matches;
const stateOf = async (personId: string) =>
  (await db.pool.query<{ state: string }>("select state from people where id = $1", [personId])).rows[0]?.state;
const noticesOf = async (personId: string) => {
  const { rows } = await db.pool.query<{ id: string; notice: string; content: string }>(
    "select id, notice, content from notices where person_id = $1 order by created_at, id",
    [personId],
  );
  const key = await work(async (each) => (await personKeys(each, keyRing, [personId])).get(personId));
  if (!key) throw new Error("no key");
  return rows.map(({ id, notice, content }) => ({ notice, data: openNotice(key, { id, sealed: content }).data }));
};
const refused = { code: "forbidden", field: "link" };
const after = async (ms: number, act: () => Promise<unknown>) => {
  const before = clock;
  clock = new Date(clock.getTime() + ms);
  try {
    await act();
  } finally {
    clock = before;
  }
};

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test("G1: an invitation works for six hours, once; its answer sets the password and makes the person active", async () => {
  const ada = await newPerson({ state: "invited" });
  const { link, until } = await handOut(ada);
  expect(link).toMatch(/^https:\/\/rollcall\.example\.com\/login\/link#[A-Za-z0-9_-]{43}$/);
  expect(until.getTime() - clock.getTime()).toBe(6 * 3_600_000);
  const token = tokenIn(link);
  const { rows } = await db.pool.query("select from login_links l where l::text like $1", [`%${token}%`]);
  expect(rows).toHaveLength(0);
  await after(6 * 3_600_000, () => expect(answer(token)).rejects.toMatchObject(refused));
  await expect(answer(token, "too short")).rejects.toMatchObject({ code: "invalid" });
  expect(await stateOf(ada)).toBe("invited");
  await after(6 * 3_600_000 - 1, () => answer(token));
  expect(await stateOf(ada)).toBe("active");
  expect(await fits(ada)).toBe(true);
  await expect(answer(token, OTHER)).rejects.toMatchObject(refused);
  const events = await db.pool.query<{ name: string }>("select name from audit_events where subject_id = $1 order by id", [ada]);
  expect(events.rows.map(({ name }) => name)).toEqual([
    "person.joined",
    "login_link.created",
    "login_link.used",
    "password.set",
    "person.activated",
  ]);
});

test("G1: sent again, the earlier link works no more; taken back, none does", async () => {
  const ada = await newPerson({ state: "invited" });
  const first = tokenIn((await handOut(ada)).link);
  const second = tokenIn((await handOut(ada)).link);
  await expect(answer(first)).rejects.toMatchObject(refused);
  expect(await findLink(db.pool, { token: second, now: clock })).toMatchObject({ personId: ada, purpose: "invitation" });
  await work((each) => revokeLink(each, { personId: ada, purpose: "invitation", reason: "a mistake" }));
  await expect(answer(second)).rejects.toMatchObject(refused);
  await expect(work((each) => revokeLink(each, { personId: ada, purpose: "invitation", reason: "again" }))).rejects.toMatchObject({
    code: "not_found",
  });
  expect(await linksOf(db.pool, { personId: ada, now: clock })).toMatchObject([
    { purpose: "invitation", state: "revoked", delivery: "shown" },
  ]);
});

test("G1: an invitation that was sent to an address that is no longer the person's lets nobody in; one that was handed over does", async () => {
  const becomes = (id: string, email: string) =>
    db.pool.query("update people set email = $2, modified_at = $3 where id = $1", [id, email, clock]);
  const sentTo = async (id: string, before?: string) =>
    (await noticesOf(id)).map(({ data }) => tokenIn(String(data["link"]))).find((each) => each !== before) ?? "";
  const ada = await newPerson({ state: "invited" });
  await handOut(ada, { delivery: "send" });
  const astray = await sentTo(ada);
  await becomes(ada, `right-${ada}@example.com`);
  await expect(answer(astray)).rejects.toMatchObject(refused);
  await expect(findLink(db.pool, { token: astray, now: clock })).rejects.toMatchObject(refused);
  expect(await linksOf(db.pool, { personId: ada, now: clock })).toMatchObject([{ delivery: "sent", state: "revoked" }]);
  await handOut(ada, { delivery: "send" });
  await becomes(ada, `RIGHT-${ada}@example.com`);
  await answer(await sentTo(ada, astray));
  expect(await stateOf(ada)).toBe("active");
  const grace = await newPerson({ state: "invited" });
  const { link } = await handOut(grace);
  await becomes(grace, `grace-${grace}@example.com`);
  await answer(tokenIn(link));
  expect(await stateOf(grace)).toBe("active");
});

test("G1: it is sent where the person can be reached, and shown to be handed over where not", async () => {
  const ada = await newPerson({ state: "invited" });
  expect((await handOut(ada, { delivery: "send" })).link).toBeNull();
  const [notice] = await noticesOf(ada);
  expect(notice).toMatchObject({ notice: "invitation", data: { link: expect.stringContaining("/login/link#") } });
  await answer(tokenIn(String(notice?.data["link"])));
  expect(await stateOf(ada)).toBe("active");
  const bare = await newPerson({ state: "invited", email: false });
  const cannot = { code: "conflict", field: "delivery" };
  await expect(handOut(bare, { delivery: "send" })).rejects.toMatchObject(cannot);
  await expect(handOut(await newPerson({ state: "invited" }), { delivery: "send", settings: unreachable })).rejects.toMatchObject(cannot);
  await answer(tokenIn((await handOut(bare, { settings: unreachable })).link));
  expect(await stateOf(bare)).toBe("active");
});

test("G1: who is saved as invited is sent an invitation at once, where the settings say so", async () => {
  const saved = async (options: { state?: "invited"; email?: boolean }, by = settings) => {
    const personId = await newPerson(options);
    return work((each) => inviteWhenSaved(each, { personId, keyRing, settings: by, baseUrl }));
  };
  expect(await saved({ state: "invited" })).toBe(true);
  expect(await saved({})).toBe(false);
  expect(await saved({ state: "invited", email: false })).toBe(false);
  expect(await saved({ state: "invited" }, unreachable)).toBe(false);
  expect(await saved({ state: "invited" }, { ...settings, links: { ...settings.links, inviteWhenSaved: false } })).toBe(false);
});

test("G2: a reset link is for active people only, and works for nobody who left meanwhile", async () => {
  const invited = await newPerson({ state: "invited" });
  await expect(handOut(invited, { purpose: "reset" })).rejects.toMatchObject({ code: "conflict" });
  const ada = await newPerson();
  await expect(handOut(ada, { purpose: "invitation" })).rejects.toMatchObject({ code: "conflict" });
  const token = tokenIn((await handOut(ada, { purpose: "reset" })).link);
  await work((each) => raiseBlocks(each, [{ personId: ada, owner: "admin", effect: "suspended", reason: "looked into" }]));
  await expect(answer(token)).rejects.toMatchObject(refused);
  await expect(handOut(ada, { purpose: "reset" })).rejects.toMatchObject({ code: "conflict" });
});

test("G2: a link that was open when its person was shut out opens nothing once they are back, who may ask for another at once; an invitation waits", async () => {
  const [ada, grace] = [await newPerson(), await newPerson({ state: "invited" })];
  await work((each) => setPassword(each, { personId: ada, password: OTHER, how: "changed", keyRing, settings: settings.password }));
  const { rows } = await db.pool.query<{ email: string }>("select email::text from people where id = $1", [ada]);
  const name = seal(keyRing.current, { purpose: "login.forgot", plain: rows[0]?.email ?? "" });
  const ask = () => work((each) => sendReset(each, { name, keyRing, settings, baseUrl }));
  expect(await ask()).toBe(true);
  const [sent] = (await noticesOf(ada)).flatMap(({ notice, data }) => (notice === "password.reset" ? [tokenIn(String(data["link"]))] : []));
  const invitation = tokenIn((await handOut(grace)).link);
  const both = [ada, grace].map((personId) => ({ personId, owner: "admin" as const }));
  await after(60_000, () =>
    work((each) =>
      raiseBlocks(
        each,
        both.map((one) => ({ ...one, effect: "suspended", reason: "looked into" })),
      ),
    ),
  );
  await after(120_000, async () => {
    await work((each) => liftBlocks(each, both));
    await expect(answer(sent ?? "")).rejects.toMatchObject(refused);
    expect(await linksOf(db.pool, { personId: ada, now: clock })).toMatchObject([{ purpose: "reset", state: "revoked" }]);
    await answer(invitation);
    expect([await fits(ada, OTHER), await fits(grace)]).toEqual([true, true]);
    expect(await ask()).toBe(true);
  });
});

test("one link used many times at once sets one password", async () => {
  const ada = await newPerson();
  const token = tokenIn((await handOut(ada, { purpose: "reset" })).link);
  const chosen = [GOOD, OTHER, "Zither9_quagmire/Fjord", "seven bold herons whisper"];
  const ends = await Promise.allSettled(chosen.map((each) => answer(token, each)));
  expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const end of ends) if (end.status === "rejected") expect(end.reason).toMatchObject(refused);
  const winner = chosen[ends.findIndex(({ status }) => status === "fulfilled")];
  expect(await fits(ada, winner)).toBe(true);
});

test("a change and an open link at once, a link sent again while it is used: none waits for the other for ever, and no link outlives a change", async () => {
  for (let round = 0; round < 5; round++) {
    const ada = await newPerson();
    const token = tokenIn((await handOut(ada, { purpose: "reset" })).link);
    const change = work((each) =>
      setPassword(each, { personId: ada, password: OTHER, how: "changed", keyRing, settings: settings.password }),
    );
    const [byLink] = await Promise.allSettled([answer(token), change, handOut(ada, { purpose: "reset" })]);
    if (byLink.status === "rejected") expect(byLink.reason).toMatchObject(refused);
    await expect(answer(token)).rejects.toMatchObject(refused);
    await work((each) =>
      setPassword(each, { personId: ada, password: "Umbra4+waltz=Gypsum", how: "changed", keyRing, settings: settings.password }),
    );
    const { rows } = await db.pool.query("select from login_links where person_id = $1 and used_at is null and revoked_at is null", [ada]);
    expect(rows).toHaveLength(0);
  }
});

test("a link is used for what it was made for", async () => {
  const ada = await newPerson();
  const { token } = await work((each) => createLink(each, { personId: ada, purpose: "reset", hours: 1 }));
  await expect(work((each) => useLink(each, { token, purpose: "invitation" }))).rejects.toMatchObject(refused);
  expect(await work((each) => useLink(each, { token, purpose: "reset" }))).toMatchObject({ personId: ada });
  for (const nonsense of ["", "x", "'; --", "a".repeat(43), token.slice(1), `${token}A`])
    await expect(work((each) => useLink(each, { token: nonsense }))).rejects.toMatchObject(refused);
});

test("G2: who forgot is sent a link if they have a password and can be reached; whoever asks, the same is written down", async () => {
  const ada = await newPerson();
  const bare = await newPerson();
  await work((each) => setPassword(each, { personId: ada, password: GOOD, how: "changed", keyRing, settings: settings.password }));
  const nameOf = async (id: string) =>
    (await db.pool.query<{ email: string }>("select email::text from people where id = $1", [id])).rows[0]?.email ?? "";
  const asked = async (name: string) => {
    await db.pool.query("delete from graphile_worker._private_jobs");
    await work((each) => askForReset(each, { name, keyRing }));
    const { rows } = await db.pool.query<{ payload: { name: string } }>("select payload from graphile_worker._private_jobs");
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(name);
    const sealed = rows[0]?.payload.name ?? "";
    expect(open(keyRing, { purpose: "login.forgot", sealed })).toBe(name);
    return work((each) => sendReset(each, { name: sealed, keyRing, settings, baseUrl }));
  };
  expect(await asked("nobody@example.com")).toBe(false);
  expect(await asked(await nameOf(bare))).toBe(false);
  expect(await asked(await nameOf(ada))).toBe(true);
  expect(await asked(await nameOf(ada))).toBe(false);
  await after(settings.links.resetEveryMinutes * 60_000, async () => expect(await asked((await nameOf(ada)).toUpperCase())).toBe(true));
  const sent = (await noticesOf(ada)).filter(({ notice }) => notice === "password.reset");
  expect(sent).toHaveLength(2);
  // Whoever asked the second time took nothing from whoever has the first.
  await answer(tokenIn(String(sent[0]?.data["link"])), OTHER);
  expect(await fits(ada, OTHER)).toBe(true);
  await expect(answer(tokenIn(String(sent[1]?.data["link"])), GOOD)).rejects.toMatchObject(refused);
});

test("G2: of many who ask for one person's reset at once one is sent; while the address changes it goes to the old one or nowhere", async () => {
  const asked = async (id: string) => {
    const { rows } = await db.pool.query<{ email: string }>("select email::text from people where id = $1", [id]);
    const email = rows[0]?.email ?? "";
    return { email, name: seal(keyRing.current, { purpose: "login.forgot", plain: email }) };
  };
  const send = (name: string) => work((each) => sendReset(each, { name, keyRing, settings, baseUrl }));
  const withPassword = async () => {
    const id = await newPerson();
    await work((each) => setPassword(each, { personId: id, password: GOOD, how: "changed", keyRing, settings: settings.password }));
    return id;
  };
  const ada = await withPassword();
  const { name } = await asked(ada);
  const sent = await Promise.all([1, 2, 3, 4, 5].map(() => send(name)));
  expect(sent.filter(Boolean)).toHaveLength(1);
  for (let round = 0; round < 6; round += 1) {
    const grace = await withPassword();
    const { email, name: hers } = await asked(grace);
    const change = db.pool.query("update people set email = $2, modified_at = $3 where id = $1", [
      grace,
      `thief-${grace}@example.com`,
      clock,
    ]);
    const [wasSent] = await Promise.all(round % 2 === 0 ? [send(hers), change] : [change.then(() => send(hers)), change]);
    const { rows } = await db.pool.query<{ id: string; content: string }>(
      "select id, content from notices where person_id = $1 and notice = 'password.reset'",
      [grace],
    );
    const key = await work(async (each) => (await personKeys(each, keyRing, [grace])).get(grace));
    if (!key) throw new Error("no key");
    expect(rows.map(({ id, content }) => openNotice(key, { id, sealed: content }).address)).toEqual(wasSent ? [email] : []);
  }
});

test("G2: somebody who asks for another's link again and again neither fills that mailbox nor takes the way in: a link in it works always", async () => {
  const ada = await newPerson();
  await work((each) => setPassword(each, { personId: ada, password: GOOD, how: "changed", keyRing, settings: settings.password }));
  const { rows } = await db.pool.query<{ email: string }>("select email::text from people where id = $1", [ada]);
  const name = seal(keyRing.current, { purpose: "login.forgot", plain: rows[0]?.email ?? "" });
  const works = async () =>
    (
      await db.pool.query("select from login_links where person_id = $1 and used_at is null and revoked_at is null and expires_at > $2", [
        ada,
        clock,
      ])
    ).rowCount ?? 0;
  let sent = 0;
  for (let minutes = 0; minutes < 24 * 60; minutes += 3 * settings.links.resetEveryMinutes)
    await after(minutes * 60_000, async () => {
      if (await work((each) => sendReset(each, { name, keyRing, settings, baseUrl }))) sent += 1;
      expect([minutes, (await works()) > 0]).toEqual([minutes, true]);
    });
  expect(sent).toBeGreaterThan(1);
  expect(sent).toBeLessThan(30);
  expect(pauseMinutes({ sent: 1000, settings: settings.links })).toBe(settings.links.resetHours * 60);
});
