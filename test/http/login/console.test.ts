import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { createGroup } from "../../../src/access/group-changes.ts";
import { makeRequest } from "../../../src/access/requests.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { createToken } from "../../../src/auth/tokens.ts";
import { requireStanding } from "../../../src/auth/credential-stands.ts";
import type { Browser } from "./browser.ts";
import { openLogin, PASSWORD, type LoginDoor } from "./login-door.ts";

let door: LoginDoor;
let administrator: { personId: string; userName: string };
let company: string;
beforeAll(async () => {
  door = await openLogin();
  administrator = await door.newPerson();
  await door.work(async (work) => {
    company = await createUnit(work, { name: "Company", type: "organization" });
    await giveGrant(work, { personId: administrator.personId, role: "rollcall-administrator", unit: company });
  });
});
afterAll(() => door?.close());

const cookieOf = (browser: Browser) => [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");

async function call(
  browser: Browser,
  { method = "GET", path, body, headers = {} }: { method?: string; path: string; body?: unknown; headers?: Record<string, string> },
) {
  const answer = await fetch(`${door.url}${path}`, {
    method,
    headers: { Cookie: cookieOf(browser), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    location: answer.headers.get("Location"),
    body: (await answer.json().catch(() => undefined)) as Record<string, unknown>,
  };
}

async function signedIn(): Promise<{ browser: Browser; own: Record<string, string> }> {
  const browser = door.browser();
  await door.signIn(browser, { name: administrator.userName });
  const { csrf } = JSON.parse((await browser.get("/account/token")).text) as { csrf: string };
  return { browser, own: { Origin: door.url, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": csrf } };
}

test("G6: the console's API takes the session's cookie and no bearer token, /api the reverse", async () => {
  const { browser } = await signedIn();
  const { token } = await door.work((work) => createToken(work, { name: "service", scope: "api" }));
  const bearer = { Authorization: `Bearer ${token}` };
  expect((await call(browser, { path: "/console/api/v1/me" })).status).toBe(200);
  expect((await call(browser, { path: "/api/v1/me" })).status).toBe(401);
  expect((await call(door.browser(), { path: "/console/api/v1/me", headers: bearer })).status).toBe(401);
  expect((await call(door.browser(), { path: "/api/v1/me", headers: bearer })).status).toBe(200);
});

test("what is made stands below the address that was called, in bulk too", async () => {
  const { browser, own } = await signedIn();
  const at = async (location: unknown) => (await call(browser, { path: String(location) })).body;
  const { location, body } = await call(browser, {
    method: "POST",
    path: "/console/api/v1/units",
    body: { name: "Made", parentId: company },
    headers: own,
  });
  expect(location).toBe(`/console/api/v1/units/${String(body["id"])}`);
  expect(await at(location)).toMatchObject({ name: "Made" });
  const operations = [{ method: "post", path: "/units", body: { name: "Made in bulk", parentId: company } }];
  for (const path of ["/console/api/v1/bulk", "/console/api/v1/bulk/each"]) {
    const { body: made } = await call(browser, { method: "POST", path, body: { operations }, headers: own });
    expect(made).toMatchObject({ results: [{ headers: { Location: expect.stringMatching(/^\/console\/api\/v1\/units\//) } }] });
  }
});

test("G6: changes by cookie come from our own pages and carry their token", async () => {
  const { browser, own } = await signedIn();
  const change = { method: "POST", path: "/console/api/v1/units", body: { name: "Sales", parentId: company } };
  expect((await call(browser, { ...change, headers: own })).status).toBe(201);
  const { "X-CSRF-Token": token = "", ...from } = own;
  for (const headers of [
    {},
    from,
    { "X-CSRF-Token": token },
    { ...own, Origin: "https://evil.example" },
    { ...own, "Sec-Fetch-Site": "cross-site" },
    { ...own, "X-CSRF-Token": `${token}x` },
  ])
    expect([headers, (await call(browser, { ...change, headers })).status]).toEqual([headers, 403]);
});

test("G3, G6: what does the most harm wants a recent proof; proving it again gives the session another secret", async () => {
  const { browser, own } = await signedIn();
  const make = (headers: Record<string, string>) =>
    call(browser, {
      method: "POST",
      path: "/console/api/v1/tokens",
      body: { for: "service", name: "sample", permissions: ["rollcall.units.view"], unitIds: null },
      headers,
    });
  expect(await make(own)).toMatchObject({ status: 201 });
  door.clock.forward((door.settings.session.stepUpMinutes + 1) * 60_000);
  const refused = await make(own);
  expect(refused.status).toBe(403);
  expect(JSON.stringify(refused.body)).toContain("step_up");
  const before = new Map(browser.cookies);
  const page = await browser.get("/login/step-up?return_to=/account");
  expect(page.text).toContain('type="password"');
  expect((await browser.submit("/login/step-up", { password: "wrong", return_to: "/account" })).status).toBe(401);
  expect(await browser.follow(await browser.submit("/login/step-up", { password: PASSWORD, return_to: "/account" }))).toMatchObject({
    status: 200,
  });
  const { csrf } = JSON.parse((await browser.get("/account/token")).text) as { csrf: string };
  expect((await make({ ...own, "X-CSRF-Token": csrf })).status).toBe(201);
  const stale = door.browser();
  for (const [name, value] of before) stale.cookies.set(name, value);
  expect((await call(stale, { path: "/console/api/v1/me" })).status).toBe(401);
});

test("G3, G6: access that comes by a request, a group or a later end of a token wants a recent proof, too", async () => {
  const { browser, own } = await signedIn();
  const { ada, groups, requestId, tokenId } = await door.work(async (work) => {
    const [person, plain, giving] = [
      await door.newPerson(),
      await createGroup(work, { displayName: "Choir" }),
      await createGroup(work, { displayName: "Heads" }),
    ];
    await giveGrant(work, { groupId: giving, role: "rollcall-auditor", unit: company });
    await work.sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
      person.personId,
      company,
    ]);
    const asked = await makeRequest(work, {
      personId: person.personId,
      requestedBy: person.personId,
      role: "rollcall-auditor",
      unitId: company,
      reason: "work",
    });
    const { id } = await createToken(work, { name: "hers", scope: "api", personId: administrator.personId });
    return { ada: person.personId, groups: { plain, giving }, requestId: asked, tokenId: id };
  });
  const expiresAt = new Date(door.clock.now().getTime() + 30 * 86_400_000).toISOString();
  const add = { add: { people: [ada] } };
  const send = (path: string, body: unknown, headers: Record<string, string>) =>
    call(browser, { method: "POST", path: `/console/api/v1${path}`, body, headers });
  const changes = [
    [`/requests/${requestId}/approve`, { reason: "agreed" }],
    [`/groups/${groups.giving}/members`, add],
    [`/tokens/${tokenId}/renew`, { expiresAt }],
  ] as const;
  door.clock.forward((door.settings.session.stepUpMinutes + 1) * 60_000);
  for (const [path, body] of changes)
    expect([path, await send(path, body, own)]).toEqual([
      path,
      expect.objectContaining({ status: 403, body: expect.objectContaining({ field: "step_up" }) }),
    ]);
  expect((await send(`/groups/${groups.plain}/members`, add, own)).status).toBe(200);
  await browser.get("/login/step-up?return_to=/account");
  await browser.follow(await browser.submit("/login/step-up", { password: PASSWORD, return_to: "/account" }));
  const { csrf } = JSON.parse((await browser.get("/account/token")).text) as { csrf: string };
  for (const [path, body] of changes)
    expect([path, (await send(path, body, { ...own, "X-CSRF-Token": csrf })).status]).toEqual([path, 200]);
});

test("G6: an administrator sees where somebody is signed in, and ends it; the person is told", async () => {
  const { browser, own } = await signedIn();
  const ada = await door.newPerson();
  const adas = door.browser({ userAgent: "Ada's" });
  await door.signIn(adas, { name: ada.userName });
  const { body } = await call(browser, { path: `/console/api/v1/people/${ada.personId}/sessions` });
  expect(body).toMatchObject({ items: [{ userAgent: "Ada's", methods: ["password"], connection: null }] });
  const path = `/console/api/v1/people/${ada.personId}/sessions/end`;
  expect((await call(browser, { method: "POST", path, body: { reason: "lost laptop" }, headers: own })).body).toEqual({
    ended: 1,
    tokens: 0,
  });
  expect((await adas.get("/account")).status).toBe(303);
  const { rows } = await door.db.pool.query("select from notices where person_id = $1 and notice = 'sessions.ended'", [ada.personId]);
  expect(rows).toHaveLength(1);
});

test("G6: a session that has ended, was idle for too long, or is somebody's without access, follows nothing any more; following keeps none alive", async () => {
  const lastSession = async () => {
    await signedIn();
    const { rows } = await door.db.pool.query<{ id: string; at: Date }>(
      "select id, last_seen_at as at from sessions where person_id = $1 order by created_at desc, id limit 1",
      [administrator.personId],
    );
    return { credential: `session:${rows[0]?.id}`, id: rows[0]?.id, at: rows[0]?.at ?? new Date(0) };
  };
  const stands = ({ credential }: { credential: string }, now: Date) =>
    requireStanding(door.db.pool, { credential, now, idleMinutes: 30 }).then(
      () => true,
      (error: unknown) => (error as { code?: string }).code,
    );
  const session = await lastSession();
  expect(await stands(session, session.at)).toBe(true);
  expect(await stands(session, new Date(session.at.getTime() + 31 * 60_000))).toBe("unauthenticated");
  expect(await stands({ credential: "session:00000000-0000-4000-8000-000000000000" }, session.at)).toBe("unauthenticated");
  const { rows } = await door.db.pool.query<{ at: Date }>("select last_seen_at as at from sessions where id = $1", [session.id]);
  expect(rows[0]?.at).toEqual(session.at);
  await door.db.pool.query("update people set active = false where id = $1", [administrator.personId]);
  expect(await stands(session, session.at)).toBe("unauthenticated");
  await door.db.pool.query("update people set active = true where id = $1", [administrator.personId]);
  await door.db.pool.query("update sessions set ended_at = $2, ended_reason = 'signed out' where id = $1", [session.id, session.at]);
  expect(await stands(session, session.at)).toBe("unauthenticated");
});
