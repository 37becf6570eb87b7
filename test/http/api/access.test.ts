import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant, revokeGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
let below: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization", code: "company" });
  below = await door.newUnit({ name: "Sales", parentId: top, code: "sales" });
  await door.work(async (work) => {
    await work.sql.query(
      "insert into permissions (key, module, resource, action) values ('test.door.open', 'test', 'door', 'open'), ('test.door.close', 'test', 'door', 'close')",
    );
    await createRole(work, { key: "porter", name: "Porter", permissions: ["test.door.open", "test.door.close"] });
  });
});
afterAll(() => door?.close());

const items = async (path: string) => (await door.request("GET", path).expect(200)).body;

describe("what a person may do", () => {
  test("B5: at any instant, as it was, and as it was known then", async () => {
    const personId = await door.newPerson({ unitId: below });
    const before = door.clock.now();
    door.clock.forward(3_600_000);
    const grantId = await door.work((work) => giveGrant(work, { personId, role: "porter", unit: "company" }));
    const during = door.clock.now();
    door.clock.forward(3_600_000);
    await door.work((work) => revokeGrant(work, { grantId, reason: "test" }));
    door.clock.forward(1000);
    const access = `/people/${personId}/access`;
    const at = (moment: Date) => `?at=${moment.toISOString()}`;
    expect(await items(access)).toEqual({ items: [], next: null });
    expect((await items(`${access}${at(before)}`)).items).toEqual([]);
    const held = (await items(`${access}${at(during)}`)).items;
    expect(held).toHaveLength(4);
    expect(held).toContainEqual(
      expect.objectContaining({ unitId: below, unitCode: "sales", permission: "test.door.open", derivations: 1 }),
    );
    // Before it was given, nobody knew of it; before it was taken, nobody knew that it would end.
    expect((await items(`${access}${at(during)}&knownAt=${before.toISOString()}`)).items).toEqual([]);
    const tomorrow = new Date(door.clock.now().getTime() + 86_400_000);
    expect((await items(`${access}${at(tomorrow)}&knownAt=${during.toISOString()}`)).items).toHaveLength(4);
    expect((await items(`${access}${at(tomorrow)}`)).items).toEqual([]);
    const [role] = (await items(`${access}/roles${at(during)}`)).items;
    expect(role).toMatchObject({ grantId, role: "porter", unitId: top, group: null, units: 2, permissions: 2 });
  });

  test("narrowed by unit and permission, in pages that leave nothing out", async () => {
    const personId = await door.newPerson({ unitId: below });
    await door.work((work) => giveGrant(work, { personId, role: "porter", unit: "company" }));
    await door.work((work) => giveGrant(work, { personId, role: "porter", unit: "sales" }));
    const access = `/people/${personId}/access`;
    const only = (await items(`${access}?unit=${below}&permission=test.door.open`)).items;
    expect(only).toEqual([expect.objectContaining({ unitId: below, permission: "test.door.open", derivations: 2 })]);
    for (const path of [access, `${access}/roles`]) {
      const whole = (await items(path)).items;
      const paged: unknown[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const part: { items: unknown[]; next: string | null } = await items(`${path}?limit=1${cursor && `&cursor=${cursor}`}`);
        expect(part.items.length).toBeLessThanOrEqual(1);
        paged.push(...part.items);
        cursor = part.next;
      }
      expect(paged).toEqual(whole);
    }
    await door.request("GET", `${access}?at=yesterday`).expect(422);
  });
});

describe("why a person may do something", () => {
  const explain = (personId: string, unit: string, token?: string, permission = "test.door.open") =>
    door.request("GET", `/people/${personId}/explain?permission=${permission}&unit=${unit}`, token === undefined ? {} : { token });

  test("B4: the derivation, or what is missing, with what would end it", async () => {
    const personId = await door.newPerson({ unitId: below });
    const none = (await explain(personId, "sales").expect(200)).body;
    expect(none).toMatchObject({ allowed: false, unitId: below, derivations: [], blockedBy: [], removals: [] });
    const grantId = await door.work((work) => giveGrant(work, { personId, role: "porter", unit: "company" }));
    const { body } = await explain(personId, below).expect(200);
    expect(body).toMatchObject({
      allowed: true,
      missing: [],
      allRemovals: true,
      derivations: [
        {
          membership: null,
          grant: { id: grantId, source: "manual" },
          units: [{ code: "company" }, { code: "sales" }],
          roles: [{ key: "porter" }],
        },
      ],
    });
    expect(body.removals).toContainEqual([{ kind: "grant", grantId, name: "the grant of porter on company" }]);
    expect((await explain(personId, "sales", undefined, "test.door.paint").expect(200)).body.missing).toEqual([
      expect.objectContaining({ kind: "no_role_has_it" }),
    ]);
    await explain(personId, "nowhere").expect(404);
  });

  test("whoever asks about themselves learns of no unit and no group that they have nothing to do with", async () => {
    const hidden = await door.newUnit({ name: "Hidden", parentId: top, code: "hidden" });
    const personId = await door.newPerson({ unitId: below });
    const token = await door.newToken({ personId });
    await door.work(async (work) => {
      const groupId = "7d9f4f0e-6f5b-4a55-9b5e-0d5f3a5a1b11";
      await work.sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, 'Secret', now(), now())", [groupId]);
      await giveGrant(work, { groupId, role: "porter", unit: "sales" });
    });
    expect((await explain(personId, "sales", token).expect(200)).body).toMatchObject({ allowed: false, missing: [] });
    expect((await explain(personId, "sales").expect(200)).body.missing).toEqual([
      expect.objectContaining({ kind: "not_a_member", group: "Secret" }),
    ]);
    const [refused, unknown] = [await explain(personId, "hidden", token).expect(404), await explain(personId, "hiddex", token).expect(404)];
    expect(refused.body.detail.replace("hidden", "")).toBe(unknown.body.detail.replace("hiddex", ""));
    await door.work((work) => giveGrant(work, { personId, role: "porter", unit: hidden }));
    expect((await explain(personId, "hidden", token).expect(200)).body.allowed).toBe(true);
  });

  test("P2, B4: a condition doesn't tell of an attribute that is kept from who asks", async () => {
    const managerId = await door.newPerson();
    const personId = await door.newPerson({ unitId: below, managerId });
    for (const [key, audience] of [
      ["clearance", "admin"],
      ["shift", "self"],
    ])
      await door.request("POST", "/attributes", { body: { key, type: "string", visibleTo: audience } }).expect(201);
    const custom = { clearance: "under suspicion", shift: "night" };
    await door.request("PATCH", `/people/${personId}`, { headers: { "If-Match": "*" }, body: { custom } }).expect(200);
    const conditions = {
      hidden: 'person.custom.clearance == "under suspicion"',
      own: 'person.custom.shift == "night"',
    };
    for (const [name, condition] of Object.entries(conditions))
      await door.request("POST", "/rules", { body: { name, condition, role: "porter", unit: "sales" } }).expect(201);
    const told = async (token: string) => {
      const path = `/people/${personId}/explain?permission=test.door.open&unit=sales`;
      const { body } = await door.request("GET", path, { token }).expect(200);
      const rules = (body.derivations as { rule: { name: string; condition: string | null; attributes: object[] } }[]).map(
        ({ rule }) => rule,
      );
      return Object.fromEntries(rules.map(({ name, condition, attributes }) => [name, attributes.length > 0 ? condition : null]));
    };
    expect(await told(door.token)).toEqual(conditions);
    expect(await told(await door.newToken({ personId }))).toEqual({ hidden: null, own: conditions.own });
    expect(await told(await door.newToken({ personId: managerId }))).toEqual({ hidden: null, own: null });
  });
});
