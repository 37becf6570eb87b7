import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { checkAccess } from "../../../src/access/effective.ts";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { createRule } from "../../../src/access/rules.ts";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
let top: string;
beforeAll(async () => {
  door = await openApi();
  top = await door.newUnit({ name: "Company", type: "organization" });
  await door.work((work) =>
    createRole(work, { key: "group-keeper", name: "Group keeper", permissions: ["rollcall.groups.view", "rollcall.groups.edit"] }),
  );
});
afterAll(() => door?.close());

const ANY = { "If-Match": "*" };
const ROLE = "rollcall-access-checker";
const may = (personId: string) =>
  checkAccess(door.db.pool, { personId, unitId: top, permission: "rollcall.access.check", at: door.clock.now() });
const newGroup = async (displayName: string): Promise<string> =>
  (await door.request("POST", "/groups", { body: { displayName } }).expect(201)).body.id;
const members = (id: string, body: object, token = door.token) => door.request("POST", `/groups/${id}/members`, { body, token });

describe("groups by API", () => {
  test("A4: a group is made, found, renamed and deleted; who was in it then has its roles no more", async () => {
    const id = await newGroup("Porters");
    const [first, second] = [await door.newPerson(), await door.newPerson()];
    const { body } = await members(id, { add: { people: [first, second, first] }, reason: "the night shift" }).expect(200);
    expect(body).toMatchObject({ added: 2, removed: 0, members: 2, origin: null });
    expect((await members(id, { add: { people: [first] } })).body).toMatchObject({ added: 0, version: body.version });
    await door.work((work) => giveGrant(work, { groupId: id, role: ROLE, unit: top }));
    expect(await may(first)).toBe(true);
    expect((await members(id, { remove: { people: [first] } })).body).toMatchObject({ removed: 1, members: 1 });
    expect([await may(first), await may(second)]).toEqual([false, true]);
    await door.request("PATCH", `/groups/${id}`, { body: { displayName: "Night porters" }, headers: ANY }).expect(200);
    const { body: found } = await door.request("GET", "/groups?q=night&origin=local").expect(200);
    expect(found.items.map(({ id: each }: { id: string }) => each)).toEqual([id]);
    const remove = (more: object) => door.request("DELETE", `/groups/${id}`, { body: { reason: "closed", ...more }, headers: ANY });
    await remove({}).expect(409);
    await remove({ revoke: true }).expect(204);
    expect(await may(second)).toBe(false);
    await door.request("GET", `/groups/${id}`).expect(404);
    const { rows } = await door.db.pool.query("select name, reason from audit_events where subject_id = $1 order by id", [id]);
    expect(rows.map(({ name }) => name)).toEqual([
      "group.created",
      "group.members_changed",
      "group.members_changed",
      "group.updated",
      "group.deleted",
    ]);
    expect(rows[1]?.reason).toBe("the night shift");
  });

  test("A4: groups stand in groups, never in a circle", async () => {
    const [a, b, c] = [await newGroup("a"), await newGroup("b"), await newGroup("c")];
    const personId = await door.newPerson();
    await members(c, { add: { people: [personId] } }).expect(200);
    await members(a, { add: { groups: [b] } }).expect(200);
    await members(b, { add: { groups: [c] } }).expect(200);
    await members(c, { add: { groups: [a] } }).expect(422);
    await members(a, { add: { groups: [a] } }).expect(422);
    await door.work((work) => giveGrant(work, { groupId: a, role: ROLE, unit: top }));
    expect(await may(personId)).toBe(true);
    expect((await door.request("GET", `/groups/${a}/groups`)).body.items).toMatchObject([{ id: b, groups: 1 }]);
    await members(a, { remove: { groups: [b] } }).expect(200);
    expect(await may(personId)).toBe(false);
    await members(c, { add: { groups: [a] } }).expect(200);
  });

  test("invariant 9: a group that a directory masters is changed there", async () => {
    const id = await newGroup("From a directory");
    await door.db.pool.query("insert into connections (name, connector) values ('corporate-ad', 'ldap')");
    await door.db.pool.query("update groups set origin_id = (select id from connections where name = 'corporate-ad') where id = $1", [id]);
    const { body } = await members(id, { add: { people: [await door.newPerson()] } }).expect(409);
    expect(body.detail).toContain("corporate-ad");
    await door.request("PATCH", `/groups/${id}`, { body: { displayName: "Mine" }, headers: ANY }).expect(409);
    await door.request("DELETE", `/groups/${id}`, { body: { reason: "mine" }, headers: ANY }).expect(409);
    expect((await door.request("GET", `/groups/${id}`)).body.origin).toBe("corporate-ad");
  });

  test("A4: members are paged, and narrowed to the people whom one may see", async () => {
    const unit = await door.newUnit({ name: "Sales", parentId: top });
    const { token } = await door.newHolder({ role: "rollcall-help-desk", unitId: unit });
    const id = await newGroup("Mixed");
    const people: string[] = [];
    for (let count = 0; count < 5; count += 1) people.push(await door.newPerson({ unitId: unit }));
    await members(id, { add: { people: [...people, await door.newPerson(), await door.newPerson()] } }).expect(200);
    const seen: string[] = [];
    for (let next: string | null = ""; next !== null;) {
      const { body }: { body: { items: { id: string }[]; next: string | null } } = await door
        .request("GET", `/groups/${id}/members?limit=2${next === "" ? "" : `&cursor=${next}`}`, { token })
        .expect(200);
      seen.push(...body.items.map(({ id: each }) => each));
      next = body.next;
    }
    expect(seen.sort()).toEqual(people.sort());
    await members(id, { add: { people: [people[0]] } }, token).expect(403);
  });

  test("A4: nobody gives by way of a group what they could not give, or brings it to themselves", async () => {
    const keeper = await door.newHolder({ role: "group-keeper", unitId: top });
    const administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const id = await newGroup("Strong");
    await door.work((work) => giveGrant(work, { groupId: id, role: "register-admin", unit: top }));
    const other = await door.newPerson();
    await members(id, { add: { people: [other] } }, keeper.token).expect(403);
    await members(id, { add: { people: [keeper.personId] } }, keeper.token).expect(403);
    await members(id, { add: { people: [administrator.personId] } }, administrator.token).expect(403);
    await members(id, { add: { people: [other] } }, administrator.token).expect(200);
    const outer = await newGroup("Inner");
    await members(outer, { add: { people: [keeper.personId, administrator.personId] } }).expect(200);
    await members(id, { add: { groups: [outer] } }, administrator.token).expect(403);
    // By a name that a rule waits for.
    await door.work((work) => createRule(work, { name: "awaited", group: "Awaited", role: "register-admin", unit: "TOP" }));
    await door.request("PATCH", `/units/${top}`, { body: { code: "TOP" }, headers: ANY }).expect(200);
    const rename = (token: string) => door.request("PATCH", `/groups/${outer}`, { body: { displayName: "Awaited" }, headers: ANY, token });
    await rename(keeper.token).expect(403);
    await rename(administrator.token).expect(403);
    await door.request("POST", "/groups", { body: { displayName: "Awaited" }, token: keeper.token }).expect(403);
    await rename(door.token).expect(200);
  });

  test("A4, P5: nobody takes by way of a group what steers Rollcall and they don't hold; other modules' roles, and one's own, go", async () => {
    const keeper = await door.newHolder({ role: "group-keeper", unitId: top });
    const administrator = await door.newHolder({ role: "rollcall-administrator", unitId: top });
    const [inner, outer, harmless] = [await newGroup("Security"), await newGroup("Steering"), await newGroup("Register")];
    const member = await door.newPerson();
    await members(inner, { add: { people: [member] } }).expect(200);
    const leaver = await door.newHolder({ role: "group-keeper", unitId: top });
    await members(outer, { add: { groups: [inner], people: [leaver.personId] } }).expect(200);
    await door.work((work) => createRule(work, { name: "steering", group: "Steering", role: "rollcall-auditor", unit: "STEERED" }));
    await door.newUnit({ name: "Steered", code: "STEERED", parentId: top });
    await door.work((work) => giveGrant(work, { groupId: outer, role: "rollcall-operator", unit: top }));
    await door.work((work) => giveGrant(work, { groupId: harmless, role: "register-admin", unit: top }));
    await members(harmless, { add: { people: [member] } }).expect(200);
    const group = (method: string, id: string, body: object, token: string) =>
      door.request(method, `/groups/${id}`, { body, headers: ANY, token });
    const away = { revoke: true, reason: "away" };
    await members(inner, { remove: { people: [member] } }, keeper.token).expect(403);
    await members(outer, { remove: { groups: [inner] } }, keeper.token).expect(403);
    await group("PATCH", outer, { displayName: "Steered no more" }, keeper.token).expect(403);
    await group("DELETE", inner, away, keeper.token).expect(403);
    await group("DELETE", outer, away, keeper.token).expect(403);
    await members(outer, { remove: { people: [leaver.personId] } }, leaver.token).expect(200);
    await members(harmless, { remove: { people: [member] } }, keeper.token).expect(200);
    await group("DELETE", harmless, away, keeper.token).expect(204);
    await members(inner, { remove: { people: [member] } }, administrator.token).expect(200);
    await group("DELETE", outer, away, administrator.token).expect(204);
  });

  test("A4: whatever is nested in whatever, no group is ever in itself", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await newGroup(`nested ${count}`));
    const edges = fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids)), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(edges, async (wanted) => {
        for (const [parent, child] of wanted) await members(parent, { add: { groups: [child] } });
        const { rows } = await door.db.pool.query<{ circle: boolean }>(
          `with recursive below (top, id) as (
             select parent_group_id, child_group_id from nestings where recorded_to is null and valid_to is null
             union select below.top, n.child_group_id from below join nestings n on n.parent_group_id = below.id and n.recorded_to is null and n.valid_to is null
           ) select exists (select from below where top = id) as circle`,
        );
        expect(rows[0]?.circle).toBe(false);
        for (const id of ids) await members(id, { remove: { groups: ids } });
      }),
      { numRuns: 8 },
    );
  });
});
