import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "csv-parse/sync";
import { giveGrant } from "../../../src/access/grants.ts";
import { recordEvent } from "../../../src/audit/record.ts";
import { personKeys, sealPersonal } from "../../../src/directory/personal.ts";
import { lookAfterThings } from "../../../src/jobs/upkeep.ts";
import { testContext } from "../../helpers/database.ts";
import { keyRing } from "../scim/door.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

interface Event {
  id: number;
  at: string;
  name: string;
  actor: string;
  subjectType: string | null;
  subjectId: string | null;
  correlationId: string;
  reason: string | null;
  personal: unknown;
  sealed: boolean;
}

let door: ApiDoor;
let top: string;
let own: string;
let ada: string;
let bob: string;
let administrator: string;

const auditor = (unitId: string) => door.newHolder({ role: "rollcall-auditor", unitId }).then(({ token }) => token);
const found = async (query: string, token?: string): Promise<Event[]> =>
  (await door.request("GET", `/audit?${query}`, token === undefined ? {} : { token }).expect(200)).body.items;
const about = (events: readonly Event[]) => events.map(({ subjectId }) => subjectId);
const exported = async (query: string, token?: string): Promise<string> =>
  (
    await door
      .request("GET", `/audit/export?${query}`, token === undefined ? {} : { token })
      .buffer(true)
      .parse((response, done) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => done(null, Buffer.concat(chunks).toString("utf8")));
      })
      .expect(200)
  ).body;

/** An event about somebody's changed name, sealed with their own key. */
const renamed = (personId: string) =>
  door.work(async (work) => {
    const key = (await personKeys(work, keyRing, [personId])).get(personId);
    if (!key) throw new Error("no key was made");
    await recordEvent(work, {
      name: "person.updated",
      subjectType: "person",
      subjectId: personId,
      reason: "Renamed at the wedding",
      data: { changed: ["displayName"] },
      sealed: sealPersonal(key, { personId, value: { before: { displayName: "Old" }, after: { displayName: "New" } } }),
    });
  });

beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  own = await door.newUnit({ name: "Own", parentId: top });
  const foreign = await door.newUnit({ name: "Foreign", parentId: top });
  [ada, bob] = [await door.newPerson({ unitId: own }), await door.newPerson({ unitId: foreign })];
  await renamed(ada);
  await renamed(bob);
  await door.work((work) => giveGrant(work, { personId: ada, role: "rollcall-help-desk", unit: own, reason: "=1+1" }));
  administrator = (await door.newHolder({ role: "rollcall-administrator", unitId: top })).token;
});
afterAll(() => door?.close());

describe("the audit trail", () => {
  test("W1: is searched by name, actor, subject, correlation id, reason and time, a page after another", async () => {
    const [event] = await found(`subjectId=${ada}`);
    if (!event) throw new Error("nothing was found");
    expect(event).toMatchObject({ name: "person.updated", subjectType: "person", actor: "system" });
    expect(about(await found("name=person.&reason=WEDDING"))).toEqual([bob, ada]);
    expect(await found("name=person.joined")).toEqual([]);
    await door.request("GET", "/audit?name=persom").expect(422);
    expect(about(await found(`correlationId=${event.correlationId}&subjectType=person`))).toContain(ada);
    expect(await found("actor=person:nobody")).toEqual([]);
    expect(about(await found("actor=system&name=person.updated"))).toEqual([bob, ada]);
    const since = new Date(Date.parse(event.at) + 1).toISOString();
    expect(about(await found(`from=${event.at}&to=${since}&subjectType=person`))).toContain(ada);
    expect(await found(`to=${event.at}&subjectId=${ada}`)).toEqual([]);
    expect(about(await found(`from=${since}&name=person.`))).not.toContain(ada);

    const all = await found("limit=200");
    const first = await door.request("GET", "/audit?limit=2").expect(200);
    const second = await door.request("GET", `/audit?limit=2&cursor=${first.body.next}`).expect(200);
    expect([...first.body.items, ...second.body.items]).toEqual(all.slice(0, 4));
    await door.request("GET", "/audit?cursor=nonsense").expect(422);
  });

  test("W1, invariant 7: whoever has a unit sees what is about its people, with their grants, and nothing about the organisation", async () => {
    const token = await auditor(own);
    const seen = await found("limit=200", token);
    expect(about(seen)).toContain(ada);
    expect(seen.map(({ name }) => name).sort()).toEqual(["grant.given", "person.updated", "unit.created"]);
    expect(about(seen)).not.toContain(bob);
    expect(await found(`subjectId=${bob}`, token)).toEqual([]);
    expect(await found("name=roles.loaded", token)).toEqual([]);
    expect(await found("name=roles.loaded", await auditor(top))).toHaveLength(1);
    const elsewhere = await auditor(await door.newUnit({ name: "Other company", type: "organization" }));
    expect((await found("limit=200", elsewhere)).filter(({ subjectId }) => subjectId === ada || subjectId === bob)).toEqual([]);
    await door.request("GET", "/audit", { token: await door.newToken({ personId: ada }) }).expect(403);
  });

  test("W1, A1: who administers a unit sees what was changed in it: its people, the unit itself, what groups hold there", async () => {
    const { token } = await door.newHolder({ role: "rollcall-unit-administrator", unitId: own });
    const { body: group } = await door.request("POST", "/groups", { body: { displayName: "Sellers" } }).expect(201);
    const below = await door.newUnit({ name: "Below", parentId: own });
    const given = (unit: string) => door.work((work) => giveGrant(work, { groupId: group.id, role: "rollcall-help-desk", unit }));
    const [here, there] = [await given(below), await given(top)];
    await door.request("PATCH", `/units/${below}`, { headers: { "If-Match": "*" }, body: { name: "Under" } }).expect(200);
    const seen = about(await found("limit=200", token));
    expect(seen).toEqual(expect.arrayContaining([ada, own, below, here]));
    expect([bob, top, there].filter((id) => seen.includes(id))).toEqual([]);
    expect((await found(`subjectId=${below}`, token)).map(({ name }) => name)).toEqual(["unit.updated", "unit.created"]);
    await door.request("GET", "/audit/export", { token }).expect(403);
  });

  test("W1: personal values are opened for whoever also sees the person, and for nobody once the person's key is gone", async () => {
    const personal = { before: { displayName: "Old" }, after: { displayName: "New" } };
    expect(await found(`subjectId=${ada}`, await auditor(own))).toMatchObject([{ personal, sealed: false }]);
    const narrow = await door.newToken({ permissions: ["rollcall.audit.view"] });
    expect(await found(`subjectId=${ada}`, narrow)).toMatchObject([{ personal: null, sealed: true }]);
    const leaver = await door.newPerson({ unitId: own });
    await renamed(leaver);
    await door.db.pool.query("delete from person_keys where person_id = $1", [leaver]);
    expect(await found(`subjectId=${leaver}`)).toMatchObject([{ personal: null, sealed: true }]);
  });

  test("W1: is exported as CSV, NDJSON and syslog, whole, in order, without personal values and harmless for a spreadsheet", async () => {
    const all = await found("limit=200");
    const lines = (await exported("format=ndjson")).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as Event).id)).toEqual(all.map(({ id }) => id).reverse());
    expect(lines.join()).not.toContain('displayName":"Old');
    const records: Record<string, string>[] = parse(await exported("format=csv&name=grant.&reason=%3D1"), { columns: true });
    expect(records).toMatchObject([{ name: "grant.given", reason: "'=1+1" }]);
    const syslog = (await exported("format=syslog&name=person.updated")).trimEnd().split("\n");
    for (const line of syslog)
      expect(line).toMatch(/^<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z - rollcall - person\.updated - \ufeff\{.*\}$/u);
    expect(await found("name=audit.exported")).toHaveLength(3);
    const mine = (await exported("format=ndjson", await auditor(own))).trimEnd().split("\n");
    expect(mine.map((line) => (JSON.parse(line) as Event).subjectId)).not.toContain(bob);
    await door.request("GET", "/audit/export?format=xml").expect(422);
    await door.request("GET", "/audit/export?format=csv", { token: await door.newToken({ personId: ada }) }).expect(403);
  });

  test("W1, invariant 8: what is older than it is kept goes with a proof that an export taken before fits; nothing newer goes", async () => {
    const read = await door.request("GET", "/audit/retention", { token: administrator }).expect(200);
    expect(read.body).toMatchObject({ days: null });
    const set = (days: number | null, tag = String(read.headers["etag"]), token = administrator) =>
      door.request("PUT", "/audit/retention", { body: { days, reason: "The law" }, headers: { "If-Match": tag }, token });
    await set(30).expect(422);
    await set(90, read.headers["etag"], await auditor(top)).expect(403);
    await set(90).expect(200);
    await set(120).expect(412);

    const ctx = testContext({ now: door.clock.now });
    await lookAfterThings(ctx, door.db);
    expect((await door.request("GET", "/audit/removals").expect(200)).body.items).toEqual([]);
    door.clock.forward(60 * 86_400_000);
    await renamed(bob);
    const kept = (await found("limit=1"))[0];
    door.clock.forward(31 * 86_400_000);
    const before = await exported(`format=ndjson&to=${kept?.at}`);
    await lookAfterThings(ctx, door.db);
    const { body } = await door.request("GET", "/audit/removals").expect(200);
    const lines = before.trimEnd().split("\n");
    expect(body.items).toMatchObject([
      { count: lines.length, sha256: createHash("sha256").update(before).digest("hex"), days: 90, firstId: 1 },
    ]);
    expect(body.items[0].lastId).toBe((JSON.parse(lines.at(-1) ?? "") as Event).id);
    const left = await found("limit=200");
    expect(left.at(-1)?.id).toBe(kept?.id);
    expect(left.slice(0, 2).map(({ name }) => name)).toEqual(["audit.removed", "audit.exported"]);
  });
});
