import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { evaluateConditionRules } from "../../../src/access/condition-rules.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { createRule, deleteRule } from "../../../src/access/rules.ts";
import { detectIncidents } from "../../../src/auth/risk/detect.ts";
import { noteAttempt, type Attempt } from "../../../src/auth/risk/attempts.ts";
import { forgetAttempts } from "../../../src/auth/risk/forget-attempts.ts";
import { NOWHERE } from "../../../src/auth/risk/places.ts";
import { startSession } from "../../../src/auth/sessions/start.ts";
import { completeSignIn } from "../../../src/auth/sign-in/complete.ts";
import { beginSignIn, passSecond } from "../../../src/auth/sign-in/store.ts";
import { authenticateToken } from "../../../src/auth/tokens.ts";
import { recordEvent } from "../../../src/audit/record.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { signInSettings, type SignInSettings } from "../../../src/sign-in-settings.ts";
import { openApi, type ApiDoor } from "../../http/api/api-door.ts";
import { followed } from "../../http/followed.ts";
import { keyRing } from "../../http/scim/door.ts";
import { testContext } from "../../helpers/database.ts";

const usual = signInSettings.parse({});
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
let door: ApiDoor;
let unitId: string;

beforeAll(async () => {
  door = await openApi();
  unitId = await door.newUnit({ type: "organization" });
});
afterAll(() => door.close());

const note = (more: Partial<Attempt>) =>
  noteAttempt(door.db.pool, {
    at: door.clock.now(),
    keyRing,
    kind: "password",
    outcome: "failed",
    personId: null,
    address: "192.0.2.4",
    userAgent: "Mozilla/5.0",
    why: more.outcome === "ok" ? null : "wrong_password",
    ...more,
  });
const detect = (risk: Partial<SignInSettings["risk"]> = {}, personId?: string) =>
  detectIncidents(testContext({ now: door.clock.now }), {
    db: door.db,
    keyRing,
    settings: { ...usual.risk, ...risk },
    placeOf: NOWHERE,
    personId,
  });
const isNews = ({ change }: { change: string }) => change !== "same";
const incidentsOf = async (query: string, token?: string) =>
  (await door.request("GET", `/incidents?${query}`, token === undefined ? {} : { token }).expect(200)).body.items as {
    id: string;
    kind: string;
    state: string;
    reopened: number;
    subjectId: string;
    person: { id: string } | null;
  }[];
const jobs = async (event: string) =>
  (
    await door.db.pool.query<{ body: { id: string } }>(
      "select payload -> 'body' as body from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'send_webhook' and payload ->> 'event' = $1",
      [event],
    )
  ).rows.map(({ body }) => body);

test("W2: many failures raise one incident that gathers its evidence; closed it stays closed until it happens again", async () => {
  const personId = await door.newPerson({ unitId });
  const fail = async (count: number) => {
    for (let at = 0; at < count; at++) await note({ personId, name: "ada", address: `198.51.${at % 3}.4` });
  };
  await fail(9);
  expect(await detect()).toEqual([]);
  await fail(1);
  expect((await detect()).map(({ change }) => change)).toEqual(["opened"]);
  expect((await detect()).map(({ change }) => change)).toEqual(["same"]);
  door.clock.forward(MINUTE);
  await fail(3);
  // However many look at once, there is one.
  const changes = (await Promise.all([detect(), detect(), detect()])).flat().map(({ change }) => change);
  expect(changes.sort()).toEqual(["grown", "same", "same"]);
  const [incident, ...others] = await incidentsOf(`personId=${personId}`);
  expect(others).toEqual([]);
  expect(incident).toMatchObject({ kind: "many_failures", state: "open", reopened: 0, subjectId: personId });
  const id = incident?.id ?? "";
  expect((await jobs("incident.opened")).map((body) => body.id)).toContain(id);

  const { body: detail, headers } = await door.request("GET", `/incidents/${id}`).expect(200);
  expect(detail.evidence[0].facts).toEqual({ failures: 13, networks: ["198.51.0.0/24", "198.51.1.0/24", "198.51.2.0/24"] });
  const { body: attempts } = await door.request("GET", `/incidents/${id}/attempts?limit=5`).expect(200);
  expect(attempts.items).toHaveLength(5);
  expect(attempts.items[0]).toMatchObject({ personId, outcome: "failed", why: "wrong_password", kind: "password" });
  expect((await door.request("GET", `/incidents/${id}/attempts?cursor=${attempts.next}`).expect(200)).body.items).toHaveLength(8);

  const { personId: analyst } = await door.newHolder({ role: "rollcall-security-analyst", unitId });
  const patch = { headers: { "If-Match": headers["etag"] ?? "" }, body: { state: "investigating", assigneeId: analyst } };
  await door.request("PATCH", `/incidents/${id}`, { ...patch, body: { assigneeId: personId } }).expect(422);
  expect((await door.request("PATCH", `/incidents/${id}`, patch).expect(200)).body).toMatchObject({
    state: "investigating",
    assignee: { id: analyst },
  });
  await door.request("PATCH", `/incidents/${id}`, patch).expect(412);
  const { body: noted } = await door.request("POST", `/incidents/${id}/notes`, { body: { text: "Called them: it was them." } }).expect(201);
  expect(noted.notes).toMatchObject([{ text: "Called them: it was them.", author: "token:test" }]);
  door.clock.forward(1000);
  const close = { body: { outcome: "false_alarm", reason: "they had a new keyboard" } };
  expect((await door.request("POST", `/incidents/${id}/close`, close).expect(200)).body).toMatchObject({
    state: "closed",
    outcome: "false_alarm",
  });
  await door.request("POST", `/incidents/${id}/close`, close).expect(409);
  expect((await jobs("incident.closed")).map((body) => body.id)).toContain(id);

  // What was counted is not counted again.
  door.clock.forward(1000);
  await fail(2);
  expect(await detect()).toEqual([]);
  await fail(8);
  expect(await detect()).toEqual([{ id, change: "reopened" }]);
  expect((await incidentsOf(`personId=${personId}`))[0]).toMatchObject({ id, state: "open", reopened: 1 });
  const { rows } = await door.db.pool.query<{ name: string }>(
    "select name from audit_events where subject_type = 'incident' and subject_id = $1 order by id",
    [id],
  );
  expect(rows.map(({ name }) => name)).toEqual([
    "incident.opened",
    "incident.changed",
    "incident.changed",
    "incident.closed",
    "incident.reopened",
  ]);

  // Long after its closing it is a new one.
  await door.request("POST", `/incidents/${id}/close`, close).expect(200);
  door.clock.forward(31 * DAY);
  await fail(10);
  const [later] = await detect();
  expect(later).toMatchObject({ change: "opened" });
  await door.request("POST", `/incidents/${id}/reopen`, { body: { reason: "look again" } }).expect(409);
});

test("W2: one network that fails at many accounts is one incident of the organisation's, unknown names counted like known ones", async () => {
  const known = await Promise.all(Array.from({ length: 5 }, () => door.newPerson({ unitId })));
  const address = "203.0.113.66";
  for (const personId of known) await note({ personId, name: `known-${personId}`, address });
  for (let at = 0; at < 4; at++) await note({ name: `nobody-${at}`, address });
  expect((await detect()).filter(isNews)).toEqual([]);
  await note({ name: "nobody-5", address });
  expect((await detect()).filter(isNews).map(({ change }) => change)).toEqual(["opened"]);
  const [incident] = await incidentsOf("kind=spraying");
  expect(incident).toMatchObject({ subjectId: "203.0.113.0/24", person: null });
  const analyst = await door.newHolder({ role: "rollcall-security-analyst", unitId: await door.newUnit({ parentId: unitId }) });
  expect(await incidentsOf("", analyst.token)).toEqual([]);
  await door.request("GET", `/incidents/${incident?.id}`, { token: analyst.token }).expect(404);
  const exported = await door.request("GET", "/incidents/export?kind=spraying").buffer(true).expect(200);
  const lines = exported.text
    .trim()
    .split("\n")
    .map((each) => JSON.parse(each));
  expect(lines).toMatchObject([{ kind: "spraying", evidence: [{ facts: { accounts: 10, failures: 10 } }], notes: [] }]);
  // Nobody's name, and nothing that was typed, is kept.
  const { rows } = await door.db.pool.query("select * from sign_in_attempts");
  expect(JSON.stringify(rows)).not.toMatch(/nobody-|known-|Mozilla/);
});

test("W2: lists of stolen passwords, each account and network once, are seen together", async () => {
  const risk = { stuffing: { ...usual.risk.stuffing, accounts: 12, networks: 6 } };
  for (let at = 0; at < 12; at++) await note({ name: `listed-${at}`, address: `203.1.${at}.1` });
  expect((await detect(risk)).filter(isNews).map(({ change }) => change)).toEqual(["opened"]);
  expect((await incidentsOf("kind=stuffing"))[0]).toMatchObject({ subjectId: "organisation", person: null });
});

test("W2: who gets in from a new network within minutes, or after long, raises incidents at once", async () => {
  const [traveller, sleeper] = [await door.newPerson({ unitId }), await door.newPerson({ unitId })];
  const ok = (personId: string, address: string) => note({ personId, outcome: "ok", address });
  await ok(sleeper, "192.0.2.9");
  for (let day = 0; day < 100; day += 20) {
    await ok(traveller, day % 40 === 0 ? "192.0.2.9" : "198.51.100.9");
    door.clock.forward(20 * DAY);
  }
  await ok(traveller, "192.0.2.9");
  door.clock.forward(5 * MINUTE);
  await ok(traveller, "198.51.100.9");
  expect(await detect({}, traveller)).toEqual([]);
  door.clock.forward(5 * MINUTE);
  await ok(traveller, "203.0.113.9");
  await ok(sleeper, "192.0.2.9");
  expect(await detect({}, traveller)).toMatchObject([{ change: "opened" }]);
  expect((await incidentsOf(`personId=${traveller}`)).map(({ kind }) => kind)).toEqual(["network_change"]);
  expect(await detect({}, sleeper)).toMatchObject([{ change: "opened" }]);
  expect((await incidentsOf(`personId=${sleeper}`)).map(({ kind }) => kind)).toEqual(["dormant_waking"]);
  const { rows } = await door.db.pool.query<{ payload: unknown }>(
    "select payload from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'detect_incidents'",
  );
  expect(rows.map(({ payload }) => payload)).toContainEqual({ personId: traveller });
});

test("W2: where somebody came from who showed the password alone is no known network of the person's: once they get in, it is seen", async () => {
  const personId = await door.newPerson({ unitId });
  await door.db.pool.query("insert into factors (id, person_id, kind, label, sealed, created_at) values ($1, $2, 'totp', 'app', 'x', $3)", [
    randomUUID(),
    personId,
    door.clock.now(),
  ]);
  const password = (address: string) => note({ personId, outcome: "ok", address });
  const signIn = async (address: string) => {
    await password(address);
    await note({ personId, kind: "second_factor", outcome: "ok", address });
  };
  for (const address of ["192.0.2.9", "198.51.100.9"]) {
    await signIn(address);
    door.clock.forward(DAY);
  }
  // Whoever has the password comes at night, and again shortly before they have a code, too.
  await password("203.0.113.9");
  door.clock.forward(DAY);
  await password("203.0.113.9");
  door.clock.forward(31 * MINUTE);
  await signIn("192.0.2.9");
  door.clock.forward(MINUTE);
  await signIn("198.51.100.9");
  expect(await detect({}, personId)).toEqual([]);
  door.clock.forward(MINUTE);
  await signIn("203.0.113.9");
  expect(await detect({}, personId)).toMatchObject([{ change: "opened" }]);
  expect((await incidentsOf(`personId=${personId}`)).map(({ kind }) => kind)).toEqual(["network_change"]);
});

test("W2: a person who gives in to many challenges is suspended until the incident is closed, where that is set; their sessions end", async () => {
  const personId = await door.newPerson({ unitId });
  await door.work((work) =>
    startSession(work, {
      personId,
      methods: ["password"],
      settings: usual.session,
      address: undefined,
      userAgent: undefined,
    }),
  );
  const standing = async () =>
    (
      await door.db.pool.query<{ state: string; sessions: number }>(
        "select state, (select count(*)::int from sessions where person_id = p.id and ended_at is null) as sessions from people p where id = $1",
        [personId],
      )
    ).rows[0];
  for (let at = 0; at < 5; at++) await note({ personId, kind: "challenge", outcome: "ok" });
  await note({ personId, kind: "second_factor", outcome: "ok" });
  expect(await standing()).toEqual({ state: "active", sessions: 1 });
  const [raised] = await detect({ responses: { factor_fatigue: "suspend" } }, personId);
  expect(await standing()).toEqual({ state: "suspended", sessions: 0 });
  const { body } = await door
    .request("POST", `/incidents/${raised?.id}/close`, { body: { outcome: "resolved", reason: "password changed" } })
    .expect(200);
  expect(body).toMatchObject({ response: "suspended", state: "closed" });
  expect(await standing()).toEqual({ state: "active", sessions: 0 });
});

test("W2, G6: a response takes along how far anybody has come in signing in as that person: what raised the incident is no session yet", async () => {
  const gaveIn = async (response: "end-sessions" | "suspend") => {
    const personId = await door.newPerson({ unitId });
    const { signIn } = await door.work((work) => beginSignIn(work, { personId, firstMethod: "password" }));
    for (let at = 0; at < 5; at++) await note({ personId, kind: "challenge", outcome: "ok" });
    await door.work((work) => passSecond(work, { signIn, method: "sms" }));
    await note({ personId, kind: "second_factor", outcome: "ok" });
    const [raised] = await detect({ responses: { factor_fatigue: response } }, personId);
    if (response === "suspend")
      await door.request("POST", `/incidents/${raised?.id}/close`, { body: { outcome: "resolved", reason: "was them" } }).expect(200);
    const arrival = { settings: usual.session, keyRing, device: undefined, address: undefined, userAgent: undefined };
    return door.work((work) => completeSignIn(work, { signIn, ...arrival }));
  };
  await expect(gaveIn("end-sessions")).rejects.toMatchObject({ code: "forbidden", field: "sign_in" });
  await expect(gaveIn("suspend")).rejects.toMatchObject({ code: "forbidden", field: "sign_in" });
});

test("W2, M3: who was suspended by an incident is given again, once it is closed, what rules give to whoever is active", async () => {
  await door.work(async (work) => {
    await createRole(work, { key: "visitor", name: "Visitor" });
    const code = "INCIDENTS";
    await createUnit(work, { name: "Company", code });
    await createRule(work, { name: "is here", condition: "person.active", role: "visitor", unit: code });
  });
  const personId = await door.newPerson({ unitId });
  const given = async () =>
    (
      await door.db.pool.query("select from grants where person_id = $1 and source = 'rule' and recorded_to is null and valid_to is null", [
        personId,
      ])
    ).rowCount;
  await door.work((work) => evaluateConditionRules(work, { personIds: [personId] }));
  expect(await given()).toBe(1);
  for (let at = 0; at < 5; at++) await note({ personId, kind: "challenge", outcome: "ok" });
  await note({ personId, kind: "second_factor", outcome: "ok" });
  const [raised] = await detect({ responses: { factor_fatigue: "suspend" } }, personId);
  await followed(door);
  expect(await given()).toBe(0);
  const body = { outcome: "resolved", reason: "password changed" };
  await door.request("POST", `/incidents/${raised?.id}/close`, { body }).expect(200);
  await followed(door);
  expect(await given()).toBe(1);
  await door.work((work) => deleteRule(work, { name: "is here" }));
});

test("W2: the last administrator is not suspended by an incident, only signed out", async () => {
  const personId = await door.newPerson();
  await door.work((work) => giveGrant(work, { personId, role: "rollcall-administrator", unit: unitId }));
  await door.work((work) =>
    startSession(work, {
      personId,
      methods: ["password"],
      settings: usual.session,
      address: undefined,
      userAgent: undefined,
    }),
  );
  for (let at = 0; at < 6; at++) await note({ personId, kind: "second_factor", outcome: "failed", why: "denied" });
  await note({ personId, kind: "second_factor", outcome: "ok" });
  const [raised] = await detect({ responses: { factor_fatigue: "suspend" } }, personId);
  expect((await door.request("GET", `/incidents/${raised?.id}`).expect(200)).body.response).toBe("sessions_ended");
  const { rows } = await door.db.pool.query("select state from people where id = $1", [personId]);
  expect(rows).toEqual([{ state: "active" }]);
});

test("W2: right passwords of the suspended, and a factor removed after a recovery code, raise incidents", async () => {
  const [suspended, taken] = [await door.newPerson({ unitId }), await door.newPerson({ unitId })];
  await note({ personId: suspended, outcome: "refused", why: "not_active" });
  for (const [name, data] of [
    ["factor.recovery_code_used", { left: 3 }],
    ["factor.removed", { kind: "totp", factor: randomUUID() }],
  ] as const)
    await door.work((work) => recordEvent(work, { name, subjectType: "person", subjectId: taken, data: data as never }));
  await detect();
  expect((await incidentsOf(`personId=${suspended}`)).map(({ kind }) => kind)).toEqual(["right_password_refused"]);
  expect((await incidentsOf(`personId=${taken}`)).map(({ kind }) => kind)).toEqual(["recovery_removal"]);
});

test("W2: a token that comes from a new network after it was learnt where it lives raises an incident of its owner's", async () => {
  const personId = await door.newPerson({ unitId });
  const bearer = await door.newToken({ personId });
  const use = (from: string) => authenticateToken(door.db.requestPool, { bearer, now: door.clock.now(), from });
  await use("192.0.2.9");
  door.clock.forward(30 * DAY);
  await use("192.0.2.77");
  expect((await detect()).filter(isNews)).toEqual([]);
  door.clock.forward(2 * MINUTE);
  await use("203.0.113.9");
  await detect();
  const [incident] = await incidentsOf(`personId=${personId}`);
  expect(incident).toMatchObject({ kind: "token_place", state: "open" });
  const { body } = await door.request("GET", `/incidents/${incident?.id}`).expect(200);
  expect(body.evidence[0].facts).toMatchObject({ network: "203.0.113.0/24", known: ["192.0.2.0/24"] });
});

test("incidents go by the unit of the person; who may only look changes nothing, and nobody changes one about themselves", async () => {
  const sub = await door.newUnit({ parentId: unitId });
  const elsewhere = await door.newUnit({ parentId: unitId });
  const analyst = await door.newHolder({ role: "rollcall-security-analyst", unitId: sub });
  const auditor = await door.newHolder({ role: "rollcall-auditor", unitId: sub });
  const [theirs, foreign] = [await door.newPerson({ unitId: sub }), await door.newPerson({ unitId: elsewhere })];
  await door.work(({ sql }) =>
    sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
      analyst.personId,
      sub,
    ]),
  );
  for (const personId of [theirs, foreign, analyst.personId]) await note({ personId, outcome: "refused", why: "not_active" });
  await detect();
  const idOf = async (personId: string) => (await incidentsOf(`personId=${personId}`))[0]?.id ?? "";
  const [own, other, about] = [await idOf(theirs), await idOf(foreign), await idOf(analyst.personId)];
  expect((await incidentsOf("", analyst.token)).map(({ id }) => id).sort()).toEqual([own, about].sort());
  const text = { body: { text: "seen" } };
  await door.request("POST", `/incidents/${own}/notes`, { ...text, token: analyst.token }).expect(201);
  await door.request("POST", `/incidents/${own}/notes`, { ...text, token: auditor.token }).expect(403);
  await door.request("POST", `/incidents/${other}/notes`, { ...text, token: analyst.token }).expect(404);
  const service = await door.newToken({
    responsibleId: analyst.personId,
    permissions: ["rollcall.incidents.view", "rollcall.incidents.edit"],
  });
  for (const token of [analyst.token, service]) await door.request("POST", `/incidents/${about}/notes`, { ...text, token }).expect(403);
  await door.request("GET", `/incidents/${randomUUID()}`, { token: analyst.token }).expect(404);
});

test("attempts are forgotten after their time, but for each person's last success", async () => {
  const personId = await door.newPerson({ unitId });
  await note({ personId, outcome: "ok" });
  door.clock.forward(MINUTE);
  await note({ personId, outcome: "ok" });
  await note({ personId });
  door.clock.forward(200 * DAY);
  while ((await door.work((work) => forgetAttempts(work, usual.risk))) > 0);
  const { rows } = await door.db.pool.query("select outcome from sign_in_attempts where person_id = $1", [personId]);
  expect(rows).toEqual([{ outcome: "ok" }]);
});
