import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import sharp from "sharp";
import supertest from "supertest";
import { giveGrant } from "../../../src/access/grants.ts";
import { createToken } from "../../../src/auth/tokens.ts";
import { finishErasures } from "../../../src/directory/erasure.ts";
import { takeOverSearchTexts } from "../../../src/db/search-texts.ts";
import { patternOf, withoutWords, wordsOf } from "../../../src/directory/erasure-words.ts";
import { testContext } from "../../helpers/database.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let connectionId: number;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "top" });
  const { rows } = await door.db.pool.query<{ id: number }>(
    "insert into connections (name, connector, policy) values ('people-source', 'scim-inbound', '{}') returning id",
  );
  connectionId = rows[0]?.id ?? 0;
});
afterAll(() => door?.close());

const reason = "asked for it";
const userNameOf = async (id: string): Promise<string> =>
  (await door.db.pool.query<{ user_name: string }>("select user_name from people where id = $1", [id])).rows[0]?.user_name ?? "";
const remove = (id: string, { force, ...given }: Record<string, string>, token?: string) =>
  door.request("DELETE", `/people/${id}`, {
    body: { ...given, ...(force === undefined ? {} : { force: force === "true" }) },
    ...(token === undefined ? {} : { token }),
  });

/** Searches every column of every table, in whatever schema: which words stand in which tables. */
async function placesOf(...words: string[]): Promise<{ word: string; place: string }[]> {
  const { rows: tables } = await door.db.pool.query<{ place: string; blobs: string[] }>(
    `select format('%I.%I', table_schema, table_name) as place, array_agg(format('%I', column_name)) filter (where data_type = 'bytea') as blobs
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') group by 1`,
  );
  expect(tables.length).toBeGreaterThan(50);
  // A row's text has all its columns; bytes stand in it as digits, and are looked at by themselves.
  const statements = tables.map(({ place, blobs }) => {
    const row = ["t::text", ...(blobs ?? []).map((column) => `coalesce(encode(t.${column}, 'escape'), '')`)].join(" || ");
    return `select word, '${place}' as place from unnest($1::text[]) as w (word) where exists (select from ${place} t where position(lower(word) in lower(${row})) > 0)`;
  });
  return (await door.db.pool.query<{ word: string; place: string }>(statements.join(" union all "), [words])).rows;
}

/** Somebody of whom something is known in every corner. */
async function wellKnown() {
  const tail = randomUUID().slice(0, 8);
  const words = {
    userName: `lovelace-${tail}`,
    email: `ada-${tail}@example.com`,
    phone: "+45 27 18 28 18",
    given: `Adaline${tail}`,
    family: `Kingsnoel${tail}`,
    number: `EMP-${tail}`,
    native: `uid=${tail},ou=people`,
    whole: `Adaline${tail} Kingsnoel${tail}`,
    part: `Countess${tail}`,
    former: `Byron${tail}`,
  };
  const { body } = await door
    .request("POST", "/people", {
      headers: { "Idempotency-Key": tail },
      body: {
        userName: words.userName,
        name: { givenName: words.given, familyName: words.family },
        displayName: `Her Grace, ${words.part}`,
        emails: [{ value: words.email, primary: true }],
        phoneNumbers: [{ value: words.phone }],
        employeeNumber: words.number,
        unitIds: [top],
        reason: `hired ${words.given}`,
      },
    })
    .expect(201);
  const id: string = body.id;
  await door
    .request("PATCH", `/people/${id}`, { headers: { "If-Match": "*" }, body: { nickName: words.given, reason: `so ${words.whole} said` } })
    .expect(200);
  const photo = await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  await door.request("PUT", `/people/${id}/photo`, { body: photo, headers: { "Content-Type": "image/png" } }).expect(204);
  await door.newToken({ personId: id, name: `${words.given}'s laptop` });
  const { body: group } = await door.request("POST", "/groups", { body: { displayName: `Porters ${tail}` } }).expect(201);
  await door
    .request("POST", "/previews", {
      body: { kind: "groupMembers", groupId: group.id, add: { people: [id] }, reason: `${words.family} is a porter` },
    })
    .expect(201);
  // What is said of one stands with others, too, and of a whole name only a part.
  const own = await door.work((work) => createToken(work, { name: "lost", scope: "api", personId: id }));
  await door.request("POST", `/tokens/${own.id}/revoke`, { body: { reason: `${words.part} lost it` } }).expect(200);
  const service = await door.work((work) => createToken(work, { name: "service", scope: "api" }));
  await door.request("POST", `/tokens/${service.id}/revoke`, { body: { reason: `${words.whole} knew it` } }).expect(200);
  const other = await door.newPerson({ userName: `before-${tail}` });
  await door
    .request("POST", `/people/${other}/expire`, { body: { until: "2099-01-01T00:00:00Z", reason: `as ${words.email}` } })
    .expect(200);
  await door.request("POST", `/people/${other}/deactivate`, { body: { reason: "left" } }).expect(200);
  await remove(other, { confirm: `before-${tail}`, reason: `asked for by ${words.whole}` }).expect(200);
  const file = Buffer.from(`userName,title\n${words.userName},Countess of ${words.given}\nbeside-${tail},Count\n`);
  const { body: made } = await door.request("POST", "/people/imports", { body: file, headers: { "Content-Type": "text/csv" } }).expect(201);
  await door.request("POST", `/people/imports/${made.id}/apply`, { body: { hash: made.hash, reason: `for ${words.whole}` } }).expect(200);
  await door
    .request("POST", "/people/imports", {
      body: Buffer.from(`userName,title\n${words.userName},Other\n`),
      headers: { "Content-Type": "text/csv" },
    })
    .expect(201);
  const profile = JSON.stringify({ userName: words.userName, emails: [{ value: words.email }], name: { givenName: words.given } });
  const pool = door.db.pool;
  await pool.query(
    `with account as (
       insert into accounts (connection_id, kind, native_id, reference, attributes, hash, mapping_version, mapped, situation, person_id, first_seen_at, changed_at)
       values ($2, 'user', $3, $4, $5, '', 1, $5, 'linked', $1, now(), now()) returning id
     ), run as (
       insert into runs (connection_id, mode, trigger, state, started_at, error_message) values ($2, 'full', 'manual', 'failed', now(), 'could not read ' || $6) returning id
     ), plan as (
       insert into plans (run_id, connection_id, state, opened_at) select id, $2, 'applied', now() from run returning id
     ), item as (
       insert into plan_items (plan_id, seq, kind, native_id, action, account_id, subject_id, reference, reason, payload, account_attributes, person_attributes, seen_at)
       select plan.id, 1, 'user', $3, 'update', account.id, $1, $4, 'changed', $5, $5::text, $5::text, now() from plan, account
     ), outcome as (
       insert into plan_outcomes (plan_id, seq, state, message) select id, 1, 'refused', $6 || ' is taken' from plan
     ), problem as (
       insert into run_problems (run_id, kind, native_id, code, message) select id, 'user', $3, 'invalid', $4 from run
     ), pending as (
       insert into pending_references (connection_id, kind, account_id, reference, since) select $2, 'manager', id, $4, now() from account
     ), projection as (
       insert into projections (connection_id, kind, person_id, native_id, desired_state, desired, delivered, delivered_state, last_error)
       values ($2, 'user', $1, $3, 'disabled', $5, $5, 'disabled', $4) returning id
     )
     insert into deliveries (projection_id, connection_id, operation, attempt, state, message, started_at, finished_at) select id, $2, 'update', 1, 'failed', $4, now(), now() from projection`,
    [id, connectionId, words.native, `cn=${words.email}`, profile, words.email],
  );
  await pool.query(
    `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, former_person_id, first_seen_at, changed_at)
     values ($2, 'user', $3, $4, '', 1, 'unmatched', $1, now(), now())`,
    [id, connectionId, `${words.native},ou=left`, { userName: words.former }],
  );
  await pool.query(
    `insert into sessions (id, person_id, hash, created_at, last_seen_at, expires_at, user_agent, ip) values (gen_random_uuid(), $1, $2, now(), now(), now() + interval '1 day', 'Browser', '10.1.2.3')`,
    [id, Buffer.from(tail)],
  );
  await pool.query(
    "insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data) values (now(), 'unit.updated', 'system', 'unit', $1, 'x', $2, '{}')",
    [top, `stands in for ${words.whole}, ${words.phone}`],
  );
  await takeOverSearchTexts(testContext(), door.db);
  return { id, words };
}

describe("deletion", () => {
  test("P5, W1: after deletion nothing in the whole database says who it was, and the trail is whole", async () => {
    const { id, words } = await wellKnown();
    const before = await placesOf(...Object.values(words));
    expect(new Set(before.map(({ word }) => word))).toEqual(new Set(Object.values(words)));
    expect(new Set(before.map(({ place }) => place)).size).toBeGreaterThan(10);
    expect(before.map(({ place }) => place)).toEqual(expect.arrayContaining(["public.person_search"]));
    const preview = await door.request("GET", `/people/${id}/deletion`).expect(200);
    expect(preview.body).toMatchObject({
      userName: words.userName,
      allowed: false,
      because: [{ forcible: true }],
      goes: { accounts: 2, photos: 1, sessions: 1, tokens: 2, planItems: 1 },
      listedBy: ["people-source"],
    });
    await remove(id, { confirm: words.userName }).expect(409);
    await remove(id, { confirm: words.userName, force: "true" }).expect(422);
    await door.request("POST", `/people/${id}/deactivate`, { body: { reason: `${words.given} left` } }).expect(200);
    const {
      rows: [events],
    } = await door.db.pool.query("select count(*)::int as count from audit_events where subject_id = $1", [id]);
    await remove(id, { confirm: "somebody else" }).expect(422);
    const inQuery = (query: string, body?: object) => door.request("DELETE", `/people/${id}${query}`, body ? { body } : {});
    expect((await inQuery("").expect(422)).body).toMatchObject({ field: "confirm" });
    expect((await inQuery("?confirm=somebody").expect(422)).body).toMatchObject({ field: "confirm" });
    expect((await inQuery("?reason=twice", { confirm: words.userName }).expect(422)).body).toMatchObject({ field: "query" });
    const { body } = await remove(id, { confirm: words.userName.toUpperCase(), reason: `${words.whole} ${reason}` }).expect(200);
    expect(body).toEqual({ id, waitsFor: [] });
    await door.work(finishErasures);
    expect(await placesOf(...Object.values(words))).toEqual([]);
    await door.request("GET", `/people/${id}`).expect(404);
    await remove(id, { confirm: words.userName }).expect(404);
    const { rows: after } = await door.db.pool.query(
      "select name, reason, sealed from audit_events where subject_id = $1 and subject_type = 'person' order by id",
      [id],
    );
    expect(after.length).toBeGreaterThanOrEqual(events.count);
    expect(after.every(({ sealed }) => sealed === null)).toBe(true);
    expect(after.find(({ name }) => name === "person.erased")).toMatchObject({ reason: `[erased] ${reason}` });
    expect(after.at(-1)).toMatchObject({ name: "person.erasure_finished" });
    const { rows: states } = await door.db.pool.query(
      "select state from lifecycle_periods where person_id = $1 and recorded_to is null order by valid_from",
      [id],
    );
    expect(states.at(-1)).toEqual({ state: "deleted" });
    // The login is free again, for somebody else.
    await door.request("POST", "/people", { body: { userName: words.userName } }).expect(201);
  });

  test("P5: targets that remove the account later keep its id there until they have", async () => {
    const id = await door.newPerson({ userName: `later-${randomUUID()}`, unitId: top });
    const {
      body: { userName },
    } = await door.request("GET", `/people/${id}`).expect(200);
    await door.request("POST", `/people/${id}/deactivate`, { body: { reason } }).expect(200);
    await door.db.pool.query(
      "insert into projections (connection_id, kind, person_id, native_id, desired_state, delivered_state, remove_after) values ($1, 'user', $2, 'there', 'disabled', 'disabled', now() + interval '1 day')",
      [connectionId, id],
    );
    expect((await remove(id, { confirm: userName }).expect(200)).body.waitsFor).toEqual(["people-source"]);
    await door.work(finishErasures);
    const native = async () => (await door.db.pool.query("select native_id from projections where person_id = $1", [id])).rows[0];
    expect(await native()).toEqual({ native_id: "there" });
    await door.db.pool.query("update projections set delivered_state = 'removed', remove_after = null where person_id = $1", [id]);
    expect(await door.work(finishErasures)).toBe(1);
    expect(await native()).toEqual({ native_id: null });
    expect(await door.work(finishErasures)).toBe(0);
  });

  test("P5: nobody deletes themselves, an untold target and an open plan stand in the way, force needs a reason", async () => {
    const admin = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await remove(admin.personId, { confirm: "x" }, admin.token).expect(403);
    const id = await door.newPerson({ unitId: top });
    const {
      body: { userName },
    } = await door.request("GET", `/people/${id}`).expect(200);
    await door.db.pool.query(
      "insert into projections (connection_id, kind, person_id, native_id, desired_state, delivered_state) values ($1, 'user', $2, 'n', 'present', 'present')",
      [connectionId, id],
    );
    const { rows } = await door.db.pool.query<{ id: number }>(
      `with run as (insert into runs (connection_id, mode, trigger, state, started_at) values ($1, 'full', 'manual', 'held', now()) returning id),
       plan as (insert into plans (run_id, connection_id, state, opened_at) select id, $1, 'held', now() from run returning id)
       insert into plan_items (plan_id, seq, kind, native_id, action, subject_id, reason, payload, seen_at) select id, 1, 'user', 'n', 'update', $2, '', '{}', now() from plan returning plan_id as id`,
      [connectionId, id],
    );
    const force = { confirm: userName, force: "true", reason };
    const { body } = await door.request("GET", `/people/${id}/deletion`).expect(200);
    expect(body.because.map(({ forcible }: { forcible: boolean }) => forcible)).toEqual([true, true, false]);
    await remove(id, force).expect(409);
    await door.db.pool.query("update plans set state = 'rejected' where id = $1", [rows[0]?.id]);
    await remove(id, { confirm: userName }).expect(409);
    const helper = await door.newHolder({ role: "rollcall-unit-administrator", unitId: top });
    await remove(id, force, helper.token).expect(403);
    expect((await remove(id, force).expect(200)).body.waitsFor).toEqual(["people-source"]);
  });

  test("P5: nobody deletes who holds more in Rollcall than they do", async () => {
    const branch = await door.newUnit({ parentId: top });
    const [{ token }, peer] = [
      await door.newHolder({ role: "rollcall-administrator", unitId: branch }),
      await door.newHolder({ role: "rollcall-administrator", unitId: branch }),
    ];
    const id = await door.newPerson({ unitId: branch, userName: `auditor-${randomUUID()}` });
    await door.work((work) => giveGrant(work, { personId: id, role: "rollcall-auditor", unit: top }));
    const force = { confirm: await userNameOf(id), force: "true", reason };
    expect((await remove(id, force, token).expect(403)).body.code).toBe("forbidden");
    await remove(id, force).expect(200);
    await door.work(({ ctx, sql }) =>
      sql.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
        peer.personId,
        branch,
        ctx.now(),
      ]),
    );
    await remove(peer.personId, { ...force, confirm: await userNameOf(peer.personId) }, token).expect(200);
  });

  test("P5: who is still listed by an origin comes back as somebody new, and knows nothing of before", async () => {
    const token = await door.newToken({ scope: "scim" });
    const userName = `origin-${randomUUID()}`;
    const scim = (method: "get" | "post", at: string, body?: object) => {
      const call = supertest(door.url)[method](`/scim/v2${at}`).set("Authorization", `Bearer ${token}`);
      return body ? call.set("Content-Type", "application/scim+json").send(JSON.stringify(body)) : call;
    };
    const user = { schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], userName, title: "Clerk" };
    const first = JSON.parse((await scim("post", "/Users", user).buffer(true).expect(201)).text);
    await door.request("PATCH", `/people/${first.id}`, { headers: { "If-Match": "*" }, body: { nickName: "Nick" } }).expect(200);
    await door.request("POST", `/people/${first.id}/deactivate`, { body: { reason } }).expect(200);
    await remove(first.id, { confirm: userName }).expect(200);
    expect(await placesOf(userName)).toEqual([]);
    await scim("get", `/Users/${first.id}`).expect(404);
    const second = JSON.parse((await scim("post", "/Users", user).buffer(true).expect(201)).text);
    expect(second.id).not.toBe(first.id);
    expect((await door.request("GET", `/people/${second.id}`).expect(200)).body).toMatchObject({ state: "active", nickName: null });
  });

  test("words are taken out whole, from texts and never from keys", () => {
    const words = wordsOf([
      { userName: "ada", name: { givenName: "Ada", familyName: "Byron" }, displayName: "Ada Byron", id: randomUUID() },
    ]);
    expect(words.telling).toEqual(["Ada Byron"]);
    const called = wordsOf([{ name: { givenName: "Ada", familyName: "Byron" }, displayName: "Countess Lovelace" }]);
    expect(called).toMatchObject({ telling: ["Countess Lovelace", "Ada Byron"], all: expect.not.arrayContaining(["Countess"]) });
    expect(called.typed).toEqual(expect.arrayContaining(["Countess", "Lovelace"]));
    const pattern = patternOf(words.all) ?? /$^/;
    expect(withoutWords({ ada: ["Ada went to Canada with Mr. BYRON", 7, null] }, pattern)).toEqual({
      ada: ["[erased] went to Canada with Mr. [erased]", 7, null],
    });
    expect(patternOf([])).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ minLength: 3, maxLength: 20, unit: "grapheme" }), (word) => {
        const found = wordsOf([{ userName: word }]);
        const each = patternOf(found.all);
        if (each) expect(withoutWords({ reason: `by ${found.all[0] ?? ""}, twice` }, each)).toEqual({ reason: "by [erased], twice" });
      }),
    );
  });
});
