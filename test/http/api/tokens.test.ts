import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { tellStoppedTokens } from "../../../src/access/token-notices.ts";
import { rotateToken } from "../../../src/auth/rotation.ts";
import { readToken } from "../../../src/auth/token-search.ts";
import { createToken } from "../../../src/auth/tokens.ts";
import { networkOf } from "../../../src/auth/network.ts";
import { giveGrant, revokeGrant } from "../../../src/access/grants.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let unit: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  unit = await door.newUnit({ name: "Sales", parentId: top });
});
afterAll(() => door?.close());

const inDays = (days: number) => new Date(door.clock.now().getTime() + days * 86_400_000).toISOString();

describe("G5: API tokens", () => {
  test("G5: a person makes one of their own: shown once, stored hashed, ending by itself, at most their own rights", async () => {
    const holder = await door.newHolder({ role: "rollcall-unit-administrator", unitId: unit });
    const { body: made } = await door.request("POST", "/tokens", { token: holder.token, body: { for: "me", name: "laptop" } }).expect(201);
    expect(made).toMatchObject({ personId: holder.personId, state: "live", permissions: null });
    await door.request("GET", `/units/${unit}`, { token: made.token }).expect(200);
    await door.request("GET", `/units/${top}`, { token: made.token }).expect(404);
    const again = await door.request("GET", `/tokens/${made.id}`, { token: holder.token }).expect(200);
    expect(again.body).not.toHaveProperty("token");
    const { rows } = await door.db.pool.query("select to_jsonb(t) as row from tokens t where id = $1", [made.id]);
    expect(JSON.stringify(rows)).not.toContain(String(made.token).replace(/^rc_[a-z]+_[^_]+_/, ""));
    door.clock.forward(91 * 86_400_000);
    await door.request("GET", "/me", { token: made.token }).expect(401);
    door.clock.forward(-91 * 86_400_000);
  });

  test("G5: scopes and units narrow it, and a narrowed one makes none that is wider", async () => {
    const holder = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const narrow = { for: "me", name: "narrow", permissions: ["rollcall.units.view"], unitIds: [unit] };
    const { body: made } = await door.request("POST", "/tokens", { token: holder.token, body: narrow }).expect(201);
    await door.request("GET", `/units/${unit}`, { token: made.token }).expect(200);
    await door.request("GET", `/units/${top}`, { token: made.token }).expect(404);
    await door.request("PATCH", `/units/${unit}`, { token: made.token, body: { name: "X" }, headers: { "If-Match": "*" } }).expect(403);
    await door.request("POST", "/tokens", { token: made.token, body: { for: "me", name: "wider" } }).expect(403);
    await door.request("POST", "/tokens", { token: made.token, body: { ...narrow, unitIds: [top] } }).expect(403);
    await door.request("POST", "/tokens", { token: made.token, body: narrow }).expect(201);
    // Nor does it keep a wider one alive; itself it may, and its owner any.
    const { body: wide } = await door.request("POST", "/tokens", { token: holder.token, body: { for: "me", name: "wide" } }).expect(201);
    const expiresAt = new Date(door.clock.now().getTime() + 200 * 86_400_000).toISOString();
    const renewed = (id: string, token: string) => door.request("POST", `/tokens/${id}/renew`, { token, body: { expiresAt } });
    await renewed(wide.id, made.token).expect(403);
    await renewed(made.id, made.token).expect(200);
    await renewed(wide.id, holder.token).expect(200);
    // Nor does it end one: found somewhere, it would shut its owner's systems out. Itself it ends, and whatever is narrowed as far.
    const service = { for: "service", name: "doors", permissions: ["rollcall.access.check"], unitIds: null };
    const { body: doors } = await door.request("POST", "/tokens", { token: holder.token, body: service }).expect(201);
    const { body: alike } = await door.request("POST", "/tokens", { token: holder.token, body: narrow }).expect(201);
    const ended = (id: string, token: string) => door.request("POST", `/tokens/${id}/revoke`, { token, body: { reason: "found" } });
    for (const { id } of [wide, doors]) expect((await ended(id, made.token).expect(403)).body.detail).toContain("narrowed");
    for (const { id } of [alike, made]) await ended(id, made.token).expect(200);
    const signingOut = await door.newToken({ personId: holder.personId, permissions: ["rollcall.sessions.end"] });
    const everywhere = (body: object, token: string) =>
      door.request("POST", `/people/${holder.personId}/sessions/end`, { token, body: { reason: "found", ...body } });
    await everywhere({ tokens: true }, signingOut).expect(403);
    await everywhere({}, signingOut).expect(200);
    const steering = await door.newToken({ personId: holder.personId, permissions: ["rollcall.tokens.edit"] });
    await ended(doors.id, steering).expect(200);
    await ended(wide.id, holder.token).expect(200);
    expect((await everywhere({ tokens: true }, holder.token).expect(200)).body.tokens).toBeGreaterThan(1);
  });

  test("G5: one of a service needs the organisation's permission, and nobody hands out more than they hold", async () => {
    const operator = await door.newHolder({ role: "rollcall-operator", unitId: top });
    const service = (permissions: string[], unitIds: string[] | null = null) => ({ for: "service", name: "hr", permissions, unitIds });
    await door.request("POST", "/tokens", { token: operator.token, body: service(["rollcall.people.view"]) }).expect(403);
    const administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const { body } = await door
      .request("POST", "/tokens", { token: administrator.token, body: service(["rollcall.units.view"], [unit]) })
      .expect(201);
    expect(body).toMatchObject({ personId: null, permissions: ["rollcall.units.view"], unitIds: [unit] });
    const narrowed = await door.newToken({ permissions: ["rollcall.tokens.edit", "rollcall.units.view"] });
    await door.request("POST", "/tokens", { token: narrowed, body: service(["rollcall.people.view"]) }).expect(403);
    // Another company's top unit: who holds everything on one top is not everywhere.
    const other = await door.newUnit({ name: "Other", type: "organization" });
    await door.request("POST", "/tokens", { token: administrator.token, body: service(["rollcall.units.view"]) }).expect(403);
    await door.request("POST", "/tokens", { token: administrator.token, body: service(["rollcall.units.view"], [other]) }).expect(403);
    await door.db.pool.query("update units set deleted_at = now() where id = $1", [other]);
    await door.request("POST", "/tokens", { token: administrator.token, body: service(["rollcall.units.view"]) }).expect(201);
  });

  test("G5: rotated with an overlap, by its owner alone; renewed by an administrator; revoked at once", async () => {
    const holder = await door.newHolder({ role: "rollcall-help-desk", unitId: unit });
    const { body: old } = await door.request("POST", "/tokens", { token: holder.token, body: { for: "me", name: "cli" } }).expect(201);
    const administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    await door.request("POST", `/tokens/${old.id}/rotate`, { token: administrator.token, body: {} }).expect(403);
    const { body: fresh } = await door
      .request("POST", `/tokens/${old.id}/rotate`, { token: holder.token, body: { overlapHours: 1 } })
      .expect(201);
    for (const token of [old.token, fresh.token]) await door.request("GET", "/me", { token }).expect(200);
    door.clock.forward(3_700_000);
    await door.request("GET", "/me", { token: old.token }).expect(401);
    await door.request("GET", "/me", { token: fresh.token }).expect(200);
    const renewed = await door
      .request("POST", `/tokens/${fresh.id}/renew`, { token: administrator.token, body: { expiresAt: inDays(300) } })
      .expect(200);
    expect(renewed.body).not.toHaveProperty("token");
    await door.request("POST", `/tokens/${fresh.id}/renew`, { token: administrator.token, body: { expiresAt: inDays(3000) } }).expect(422);
    await door.request("POST", `/tokens/${old.id}/renew`, { token: administrator.token, body: { expiresAt: inDays(10) } }).expect(409);
    await door.request("POST", `/tokens/${fresh.id}/revoke`, { token: holder.token, body: { reason: "lost laptop" } }).expect(200);
    await door.request("GET", "/me", { token: fresh.token }).expect(401);
    door.clock.forward(-3_700_000);
  });

  test("G5, A6, W3: a service's token does at most what its maker may, at the time of use; with the maker it stops, and is taken over by rotating it", async () => {
    const maker = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const other = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const grant = (await door.request("GET", `/grants?person=${maker.personId}`).expect(200)).body.items[0].id;
    const service = {
      for: "service",
      name: "hr",
      permissions: ["rollcall.units.view", "rollcall.people.view", "rollcall.grants.give"],
      unitIds: null,
    };
    const { body: made } = await door.request("POST", "/tokens", { token: maker.token, body: service }).expect(201);
    expect(made).toMatchObject({ personId: null, responsibleId: maker.personId, state: "live" });
    const sees = (token: string, unitId: string) => door.request("GET", `/units/${unitId}`, { token });
    await sees(made.token, top).expect(200);
    // Nor is it a way to give oneself what nobody gives to themselves.
    const giving = { personId: maker.personId, role: "rollcall-auditor", unitId: top, reason: "mine" };
    await door.request("POST", "/grants", { token: made.token, body: giving }).expect(403);
    // What the maker loses, it loses at once.
    await door.work((work) => giveGrant(work, { personId: maker.personId, role: "rollcall-unit-administrator", unit }));
    await door.request("POST", `/grants/${grant}/revoke`, { body: { reason: "moved" } }).expect(204);
    await sees(made.token, top).expect(404);
    await sees(made.token, unit).expect(200);
    await door.request("POST", `/people/${maker.personId}/suspend`, { body: { reason: "left" } }).expect(200);
    await sees(made.token, unit).expect(401);
    const listed = await door.request("GET", `/tokens?responsible=${maker.personId}&state=suspended`, { token: other.token }).expect(200);
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([made.id]);
    const { body: events } = await door.request("GET", `/audit?name=token.stopped`, { token: other.token }).expect(200);
    expect(events.items).toMatchObject([{ subjectId: made.id, data: { name: "hr" } }]);
    await door.work((work) => tellStoppedTokens(work, { keyRing, personId: maker.personId }));
    const told = await door.db.pool.query("select person_id from notices where notice = 'token.stopped'");
    expect(told.rows).toContainEqual({ person_id: other.personId });
    expect(told.rows).not.toContainEqual({ person_id: maker.personId });
    const services = async () => {
      const { body } = await door.request("GET", `/people/${maker.personId}/steps`, { token: other.token }).expect(200);
      return body.steps.filter(({ what }: { what: string }) => what === "service-token").map(({ target }: { target: string }) => target);
    };
    expect(await services()).toEqual(["hr"]);
    const byOperator = (owner: string) =>
      door.work(async (work) => {
        const token = (await createToken(work, { name: "owned", scope: "api", responsibleId: owner })).id;
        const { id } = await rotateToken(work, { token, oldUntil: door.clock.now() });
        return (await readToken(work.sql, { id, now: door.clock.now() })).responsibleId;
      });
    // At the command line nobody's access is widened by the way, and who has left is not asked any more.
    expect([await byOperator(other.personId), await byOperator(maker.personId)]).toEqual([other.personId, null]);
    const { body: rotated } = await door.request("POST", `/tokens/${made.id}/rotate`, { token: other.token, body: {} }).expect(201);
    expect(rotated).toMatchObject({ responsibleId: other.personId, state: "live" });
    expect(await services()).toEqual([]);
    await sees(rotated.token, top).expect(200);
    await sees(made.token, unit).expect(401);
    // What the operator makes at the command line bounds nothing by a person.
    const { body: own } = await door.request("POST", "/tokens", { body: service }).expect(201);
    expect(own.responsibleId).toBeNull();
    await door.request("POST", `/tokens/${rotated.id}/revoke`, { token: other.token, body: { reason: "over" } }).expect(200);
  });

  test("G5: a leaked one is found by its prefix, or pasted whole; who may not see it finds nothing", async () => {
    const holder = await door.newHolder({ role: "rollcall-help-desk", unitId: unit });
    const stranger = await door.newHolder({ role: "rollcall-unit-administrator", unitId: unit });
    const find = (text: string, token?: string) =>
      door.request("GET", `/tokens?prefix=${text}`, token === undefined ? {} : { token }).expect(200);
    const prefix = String(holder.token.split("_")[2]);
    for (const text of [prefix, `rc_api_${prefix}`, holder.token])
      expect((await find(text)).body.items).toMatchObject([{ personId: holder.personId, lastUsedFrom: null }]);
    expect((await find(prefix, stranger.token)).body.items).toEqual([]);
    expect((await find(prefix, holder.token)).body.items).toMatchObject([{ personId: holder.personId }]);
    const [{ id }] = (await find(prefix)).body.items;
    await door.request("GET", `/tokens/${id}`, { token: stranger.token }).expect(404);
    expect((await find(prefix)).body.items).toMatchObject([{ lastUsedFrom: "127.0.0.0/24" }]);
  });

  test("G5: a person's tokens end with the person", async () => {
    const holder = await door.newHolder({ role: "rollcall-help-desk", unitId: unit });
    await door.db.pool.query("update people set active = false where id = $1", [holder.personId]);
    await door.request("GET", "/me", { token: holder.token }).expect(401);
  });

  test("an Idempotency-Key of another credential that acts under the same name answers nothing of ours", async () => {
    const [first, second] = [await door.newToken({ name: "twin" }), await door.newToken({ name: "twin" })];
    const send = (token: string) =>
      door
        .request("POST", "/tokens", {
          token,
          body: { for: "service", name: "s", permissions: ["rollcall.units.view"], unitIds: [unit] },
          headers: { "Idempotency-Key": "same" },
        })
        .expect(201);
    expect((await send(first)).body.token).not.toBe((await send(second)).body.token);
    expect((await send(first)).headers["idempotency-replayed"]).toBe("true");
  });

  test("an Idempotency-Key repeats nothing to whose right has gone since", async () => {
    const holder = await door.newHolder({ role: "rollcall-administrator", unitId: unit });
    const send = () =>
      door.request("POST", "/units", {
        token: holder.token,
        body: { name: "Kept answer", parentId: unit },
        headers: { "Idempotency-Key": "mine" },
      });
    const [first, again] = [await send(), await send()];
    expect([first.status, again.headers["idempotency-replayed"], again.body.id]).toEqual([201, "true", first.body.id]);
    const { rows } = await door.db.pool.query<{ id: string }>("select grant_id as id from grants where person_id = $1", [holder.personId]);
    for (const { id } of rows) await door.work((work) => revokeGrant(work, { grantId: id, reason: "moved on" }));
    const refused = await send();
    expect([refused.status, refused.body.id]).toEqual([403, undefined]);
  });

  test("pages show every token once, the newest first", async () => {
    const ids = [];
    let next: string | null = "";
    while (next !== null) {
      const { body }: { body: { items: { id: string }[]; next: string | null } } = await door
        .request("GET", `/tokens?limit=5${next && `&cursor=${next}`}`)
        .expect(200);
      ids.push(...body.items.map(({ id }) => id));
      next = body.next;
    }
    const { rows } = await door.db.pool.query("select count(*)::int as count from tokens");
    expect(new Set(ids).size).toBe(rows[0].count);
  });
});

describe("the network of an address", () => {
  test.each([
    ["192.0.2.77", "192.0.2.0/24"],
    ["::ffff:192.0.2.77", "192.0.2.0/24"],
    ["2001:db8:1:2::5", "2001:db8:1::/48"],
    ["2001:db8::1", "2001:db8:0::/48"],
    ["::1", "0:0:0::/48"],
    ["fe80::1%eth0", "fe80:0:0::/48"],
    // As some proxies write them into X-Forwarded-For.
    ["192.0.2.77:51234", "192.0.2.0/24"],
    ["[2001:db8:1:2::5]:51234", "2001:db8:1::/48"],
    ["[::ffff:192.0.2.77]:51234", "192.0.2.0/24"],
    ["nowhere", null],
    ["192.0.2.77:51234:1", null],
    [undefined, null],
  ])("of %s is %s", (address, network) => expect(networkOf(address)).toBe(network));
});
