import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkAccess } from "../../../src/access/effective.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { lapseRequests } from "../../../src/access/requests.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let sales: string;
let factory: string;
let manager: { personId: string; token: string };
let approver: { personId: string; token: string };
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  sales = await door.newUnit({ name: "Sales", parentId: top });
  factory = await door.newUnit({ name: "Factory", parentId: top });
  const personId = await door.newPerson({ unitId: sales });
  manager = { personId, token: await door.newToken({ personId }) };
  approver = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
});
afterAll(() => door?.close());

const DAY = 86_400_000;
const ROLE = "rollcall-access-checker";
const at = (ms: number) => new Date(door.clock.now().getTime() + ms).toISOString();
const may = (personId: string) =>
  checkAccess(door.db.pool, { personId, unitId: sales, permission: "rollcall.access.check", at: door.clock.now() });
const ask = (personId: string, more: object = {}, token = manager.token) =>
  door.request("POST", "/requests", { token, body: { personId, role: ROLE, unitId: sales, reason: "the season", ...more } });
const decide = (id: string, what: "approve" | "refuse" | "withdraw", { token = approver.token, body = {} as object } = {}) =>
  door.request("POST", `/requests/${id}/${what}`, { token, body: { reason: "decided", ...body } });

describe("A7: access requests", () => {
  test("A7: a manager asks for a seasonal worker, an approver gives it with a time limit, and it ends by itself", async () => {
    const worker = await door.newPerson({ unitId: sales, managerId: manager.personId });
    const { body: asked } = await ask(worker, { from: at(DAY), until: at(60 * DAY) }).expect(201);
    expect(asked).toMatchObject({ state: "pending", person: { id: worker }, requestedBy: { id: manager.personId }, grantId: null });
    expect(await may(worker)).toBe(false);
    await decide(asked.id, "approve", { body: { until: at(90 * DAY) } }).expect(422);
    const { body: approved } = await decide(asked.id, "approve", { body: { until: at(30 * DAY) } }).expect(200);
    expect(approved).toMatchObject({ state: "approved", decidedBy: `person:${approver.personId}`, decisionReason: "decided" });
    const { body: grant } = await door.request("GET", `/grants/${approved.grantId}`);
    expect(grant).toMatchObject({ source: "request", person: { id: worker }, state: "future", from: asked.from });
    const seen: boolean[] = [];
    for (const days of [2, 27, 1]) {
      door.clock.forward(days * DAY);
      seen.push(await may(worker));
    }
    door.clock.forward(-30 * DAY);
    expect(seen).toEqual([true, true, false]);
    await decide(asked.id, "refuse").expect(409);
    const { rows } = await door.db.pool.query("select name, actor from audit_events where subject_id = $1 order by id", [asked.id]);
    expect(rows).toEqual([
      { name: "request.made", actor: `person:${manager.personId}` },
      { name: "request.approved", actor: `person:${approver.personId}` },
    ]);
  });

  test("A7: refused with a reason, nothing is given; withdrawn by who asked, nobody decides any more", async () => {
    const worker = await door.newPerson({ unitId: sales, managerId: manager.personId });
    const { body: first } = await ask(worker).expect(201);
    await ask(worker).expect(409);
    expect((await decide(first.id, "refuse").expect(200)).body).toMatchObject({
      state: "refused",
      decisionReason: "decided",
      grantId: null,
    });
    const { body: second } = await ask(worker).expect(201);
    await decide(second.id, "withdraw").expect(403);
    await decide(second.id, "withdraw", { token: manager.token }).expect(200);
    await decide(second.id, "approve").expect(409);
    expect(await may(worker)).toBe(false);
  });

  test("A7: one asks for oneself and for one's team only, and a service not at all", async () => {
    await ask(manager.personId).expect(201);
    await ask(await door.newPerson({ unitId: factory })).expect(404);
    const report = await door.newPerson({ managerId: manager.personId });
    await ask(await door.newPerson({ managerId: report })).expect(201);
    await ask(report, {}, door.token).expect(403);
    await ask(report, { until: at(-DAY) }).expect(422);
    await ask(report, { role: "no-such-role" }).expect(404);
  });

  test("A7: neither who asked nor who gets it decides, and nobody approves what they could not give", async () => {
    const { body: own } = await ask(approver.personId, {}, approver.token).expect(201);
    await decide(own.id, "approve").expect(403);
    const worker = await door.newPerson({ unitId: sales });
    const { body: asked } = await ask(worker, {}, approver.token).expect(201);
    await decide(asked.id, "approve").expect(403);
    const elsewhere = await door.newHolder({ role: "rollcall-unit-administrator", unitId: factory });
    await decide(asked.id, "approve", { token: elsewhere.token }).expect(404);
    await decide(asked.id, "approve", { token: await door.newToken({ personId: worker }) }).expect(403);
    const other = await door.newHolder({ role: "rollcall-unit-administrator", unitId: sales });
    await decide(asked.id, "approve", { token: other.token }).expect(200);
    const { body: strong } = await ask(manager.personId, { role: "register-admin" }).expect(201);
    await decide(strong.id, "approve").expect(403);
    await door.work((work) => giveGrant(work, { personId: approver.personId, role: "register-admin", unit: sales }));
    await decide(strong.id, "approve").expect(200);
  });

  test("A7, G5: a narrowed credential, or a service that somebody answers for, neither sees nor takes back what that person asked for", async () => {
    const worker = await door.newPerson({ unitId: sales, managerId: manager.personId });
    const { body: asked } = await ask(worker).expect(201);
    const read = (token: string) => door.request("GET", `/requests/${asked.id}`, { token });
    const narrowed = (...permissions: string[]) => door.newToken({ personId: manager.personId, permissions });
    for (const token of [
      await narrowed("rollcall.access.check"),
      await door.newToken({ responsibleId: manager.personId, permissions: ["rollcall.people.view", "rollcall.people.edit"] }),
    ]) {
      await read(token).expect(404);
      await decide(asked.id, "withdraw", { token }).expect(404);
    }
    const looking = await narrowed("rollcall.people.view");
    await read(looking).expect(200);
    await decide(asked.id, "withdraw", { token: looking }).expect(403);
    const head = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const { body: own } = await ask(head.personId, {}, head.token).expect(201);
    const service = await door.newToken({
      responsibleId: head.personId,
      permissions: ["rollcall.requests.decide", "rollcall.grants.give"],
    });
    await read(service).expect(200);
    for (const what of ["approve", "refuse", "withdraw"] as const) await decide(own.id, what, { token: service }).expect(403);
    await decide(asked.id, "withdraw", { token: await narrowed("rollcall.people.view", "rollcall.people.edit") }).expect(200);
  });

  test("A7: undecided it lapses, from its time on though the job is late; the job writes it down once", async () => {
    const worker = await door.newPerson({ unitId: sales, managerId: manager.personId });
    const { body: asked } = await ask(worker).expect(201);
    door.clock.forward(14 * DAY);
    expect((await door.request("GET", `/requests/${asked.id}`, { token: approver.token })).body.state).toBe("lapsed");
    await decide(asked.id, "approve").expect(409);
    expect(await door.work(lapseRequests)).toBeGreaterThan(0);
    expect(await door.work(lapseRequests)).toBe(0);
    const { rows } = await door.db.pool.query("select name from audit_events where subject_id = $1 order by id", [asked.id]);
    expect(rows.map(({ name }) => name)).toEqual(["request.made", "request.lapsed"]);
    await ask(worker).expect(201);
    door.clock.forward(-14 * DAY);
  });

  test("A7: the list shows one's own, and to who decides what waits for them", async () => {
    const worker = await door.newPerson({ unitId: sales, managerId: manager.personId });
    const { body: asked } = await ask(worker, { role: "rollcall-help-desk" }).expect(201);
    const listed = async (token: string, query: string) =>
      (await door.request("GET", `/requests?${query}`, { token }).expect(200)).body.items as { id: string; state: string }[];
    expect((await listed(await door.newToken({ personId: worker }), "view=own")).map(({ id }) => id)).toEqual([asked.id]);
    expect((await listed(manager.token, "view=own&state=pending")).map(({ id }) => id)).toContain(asked.id);
    expect(await listed(manager.token, "view=to-decide")).toEqual([]);
    const waiting = await listed(approver.token, "view=to-decide");
    expect(waiting.map(({ id }) => id)).toContain(asked.id);
    expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(["pending"]));
    const elsewhere = await door.newHolder({ role: "rollcall-unit-administrator", unitId: factory });
    expect(await listed(elsewhere.token, "view=all")).toEqual([]);
    await door.request("GET", `/requests/${asked.id}`, { token: elsewhere.token }).expect(404);
    const { body } = await door.request("GET", "/requests?limit=1", { token: approver.token });
    const { body: next } = await door.request("GET", `/requests?limit=1&cursor=${body.next}`, { token: approver.token });
    expect(next.items[0].id).not.toBe(body.items[0].id);
  });
});
