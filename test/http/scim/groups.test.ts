import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";

let door: Door;
let people: string[];
beforeAll(async () => {
  door = await openDoor();
  people = [];
  for (let at = 0; at < 6; at += 1)
    people.push((await door.request("POST", "/Users", { body: { schemas: [USER], userName: `member${at}` } })).body.id);
});
afterAll(() => door.close());

const member = (at: number) => ({ value: people[at] });
const group = async (displayName: string, members: object[] = []) => {
  const answer = await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName, members } });
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
  return answer.body;
};
const read = async (id: string) => (await door.request("GET", `/Groups/${id}`)).body;
const patch = (id: string, ...Operations: object[]) =>
  door.request("PATCH", `/Groups/${id}`, { body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations } });
const ids = (body: { members?: { value: string }[] }) => (body.members ?? []).map(({ value }) => value).sort();

describe("M1: groups and their members", () => {
  test("M1: members are people and groups; a person shows the groups", async () => {
    const inner = await group("inner", [member(0)]);
    const outer = await group("outer", [member(1), { value: inner.id }]);
    expect(ids(outer)).toEqual([people[1], inner.id].sort());
    expect(outer.members.find(({ value }: { value: string }) => value === inner.id)).toMatchObject({
      type: "Group",
      display: "inner",
      $ref: inner.meta.location,
    });
    expect((await door.request("GET", `/Users/${people[1]}`)).body.groups).toEqual([
      { value: outer.id, $ref: outer.meta.location, display: "outer", type: "direct" },
    ]);
    const found = await door.request(
      "GET",
      `/Groups?${new URLSearchParams({ filter: `members eq "${inner.id}"`, attributes: "displayName" })}`,
    );
    expect(found.body.Resources).toEqual([{ schemas: [GROUP], id: outer.id, displayName: "outer" }]);
  });

  test("RFC 7644 3.6: who was deleted can't be made a member, and comes back a member of nothing", async () => {
    const made = await group("without", [member(0)]);
    const { body: left } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "left" } });
    expect((await door.request("DELETE", `/Users/${left.id}`)).status).toBe(204);
    const members = [member(0), { value: left.id }];
    for (const refused of [
      await patch(made.id, { op: "add", path: "members", value: [{ value: left.id }] }),
      await patch(made.id, { op: "replace", path: "members", value: members }),
      await door.request("PUT", `/Groups/${made.id}`, { body: { schemas: [GROUP], displayName: "without", members } }),
      await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "another", members } }),
    ])
      expect([refused.status, refused.body.scimType, refused.body.detail]).toEqual([
        400,
        "invalidValue",
        `members: there is no user or group ${left.id}.`,
      ]);
    expect(ids(await read(made.id))).toEqual([people[0]]);
    const again = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "left" } });
    expect([again.status, again.body.groups]).toEqual([201, undefined]);
    expect((await patch(made.id, { op: "add", path: "members", value: [{ value: again.body.id }] })).status).toBe(204);
    expect(ids(await read(made.id))).toEqual([people[0], again.body.id].sort());
  });

  test("M1: a patch of members answers 204 and reads no member back; the version tells that it changed", async () => {
    const made = await group("patched", [member(0), member(1)]);
    const added = await patch(
      made.id,
      { op: "add", path: "members", value: [member(2)] },
      { op: "Remove", path: `members[value eq "${people[0]}"]` },
    );
    expect([added.status, added.text]).toEqual([204, ""]);
    expect(added.headers["etag"]).not.toBe(made.meta.version);
    expect(ids(await read(made.id))).toEqual([people[1], people[2]].sort());
    const same = await patch(made.id, { op: "add", path: "members", value: [member(2)] });
    expect(same.headers["etag"]).toBe(added.headers["etag"]);
    const asked = await door.request("PATCH", `/Groups/${made.id}?attributes=displayName`, {
      body: { Operations: [{ op: "replace", path: "displayName", value: "renamed" }] },
    });
    expect([asked.status, asked.body.displayName, asked.body.members]).toEqual([200, "renamed", undefined]);
    expect(ids(await read(made.id))).toEqual([people[1], people[2]].sort());
  });

  test("RFC 7644 3.5.2.2: a path that names a member and its type takes out no member of another type", async () => {
    const inner = await group("inner of a type");
    const made = await group("of types", [member(0), member(1), { value: inner.id }]);
    const remove = (filter: string) => patch(made.id, { op: "remove", path: `members[${filter}]` });
    for (const filter of [
      `value eq "${people[0]}" and type eq "Group"`,
      `type eq "User" and value eq "${inner.id}"`,
      `value eq "${people[0]}" and value eq "${people[1]}"`,
      `value eq "${people[0]}" and type eq "Device"`,
      `value eq "${people[0]}" and type eq "User" and type eq "Group"`,
    ]) {
      const answer = await remove(filter);
      expect([filter, answer.status, answer.headers["etag"]]).toEqual([filter, 204, made.meta.version]);
    }
    expect(ids(await read(made.id))).toEqual([people[0], people[1], inner.id].sort());
    expect((await remove(`value eq "${people[0]}" and type eq "user"`)).status).toBe(204);
    expect((await remove(`type eq "Group" and (value eq "${inner.id}" or value eq "${people[1]}")`)).status).toBe(204);
    expect(ids(await read(made.id))).toEqual([people[1]]);
    const unclear = await remove(`type eq "User"`);
    expect([unclear.status, unclear.body.scimType]).toEqual([400, "invalidFilter"]);
  });

  test("M1: PUT replaces members that it names, and leaves them when it does not speak of them", async () => {
    const made = await group("put", [member(0), member(1)]);
    const renamed = await door.request("PUT", `/Groups/${made.id}`, { body: { schemas: [GROUP], displayName: "put-2" } });
    expect(ids(renamed.body)).toEqual([people[0], people[1]].sort());
    const replaced = await door.request("PUT", `/Groups/${made.id}`, {
      body: { schemas: [GROUP], displayName: "put-2", members: [member(3)] },
    });
    expect(ids(replaced.body)).toEqual([people[3]]);
    const emptied = await door.request("PUT", `/Groups/${made.id}`, { body: { schemas: [GROUP], displayName: "put-2", members: [] } });
    expect(ids(emptied.body)).toEqual([]);
  });

  test("M1: an unknown member is refused by its id and nothing changes", async () => {
    const made = await group("strict", [member(0)]);
    for (const value of ["nobody", "00000000-0000-4000-8000-000000000000"]) {
      const answer = await patch(made.id, { op: "add", path: "members", value: [member(1), { value }] });
      expect([answer.status, answer.body.scimType, answer.body.detail]).toEqual([400, "invalidValue", expect.stringContaining(value)]);
    }
    const itself = await patch(made.id, { op: "add", path: "members", value: [{ value: made.id }] });
    expect([itself.status, itself.body.detail]).toEqual([400, "members: a group can't be a member of itself."]);
    expect(ids(await read(made.id))).toEqual([people[0]]);
  });

  test("M1: adding a member to a large group touches one row", async () => {
    const made = await group("large");
    await door.db.pool.query(
      `with p as (insert into people (id, user_name, attributes, created_at, modified_at) select gen_random_uuid(), 'bulk' || n, jsonb_build_object('userName', 'bulk' || n), $2, $2 from generate_series(1, 3000) n returning id)
       insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from) select $1, p.id, c.id, $2, $2 from p, connections c where c.name = 'scim'`,
      [made.id, new Date()],
    );
    const count = async () =>
      (await door.db.pool.query("select count(*) as rows from memberships where group_id = $1", [made.id])).rows[0].rows;
    const before = await count();
    expect((await patch(made.id, { op: "add", path: "members", value: [member(4)] })).status).toBe(204);
    expect(await count()).toBe(before + 1);
    expect((await patch(made.id, { op: "remove", path: `members[value eq "${people[4]}"]` })).status).toBe(204);
    expect(ids(await read(made.id))).toHaveLength(3000);
  });

  test("M1: people of other origins join beside a client's own, and who is in already stays as they were", async () => {
    const made = await group("mixed", [member(0)]);
    const { rows } = await door.db.pool.query<{ id: string }>(
      `insert into people (id, user_name, attributes, created_at, modified_at)
       select gen_random_uuid(), 'elsewhere' || n, jsonb_build_object('userName', 'elsewhere' || n), now(), now() from generate_series(1, 2) n returning id`,
    );
    const others = rows.map(({ id }) => id);
    const since = "select id, valid_from from memberships where group_id = $1 and person_id = $2";
    const before = (await door.db.pool.query(since, [made.id, people[0]])).rows;
    const value = [...others.map((id) => ({ value: id })), member(0), member(1)];
    expect((await patch(made.id, { op: "add", path: "members", value })).status).toBe(204);
    expect(ids(await read(made.id))).toEqual([...others, people[0], people[1]].sort());
    expect((await door.db.pool.query(since, [made.id, people[0]])).rows).toEqual(before);
    const { rows: through } = await door.db.pool.query(
      `select m.person_id as id from memberships m left join accounts a on a.id = m.account_id
       where m.group_id = $1 and a.native_id is distinct from m.person_id::text`,
      [made.id],
    );
    expect(through.map(({ id }) => id).sort()).toEqual(others.toSorted());
  });

  test("M1: who left by a clock that is ahead of ours comes back and leaves again, and was in the group once at any time", async () => {
    const made = await group("clocks");
    const [left, ahead] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
    await door.db.pool.query(
      `insert into memberships (group_id, person_id, connection_id, valid_from, valid_to, recorded_from)
       select $1, $2, id, $3, $4, $4 from connections where name = 'scim'`,
      [made.id, people[5], left, ahead],
    );
    expect((await patch(made.id, { op: "add", path: "members", value: [member(5)] })).status).toBe(204);
    expect(ids(await read(made.id))).toEqual([people[5]]);
    expect((await patch(made.id, { op: "remove", path: `members[value eq "${people[5]}"]` })).status).toBe(204);
    expect(ids(await read(made.id))).toEqual([]);
    expect(
      (await door.db.pool.query("select valid_from, valid_to from memberships where group_id = $1 and recorded_to is null", [made.id]))
        .rows,
    ).toEqual([{ valid_from: left, valid_to: ahead }]);
  });

  test("invariant 1: a list that would empty a large group is held, changes nothing, and somebody is told", async () => {
    const made = (await door.request("GET", '/Groups?filter=displayName%20eq%20"large"')).body.Resources[0];
    for (const send of [
      () => patch(made.id, { op: "replace", path: "members", value: [member(0)] }),
      () => door.request("PUT", `/Groups/${made.id}`, { body: { schemas: [GROUP], displayName: "large", members: [] } }),
    ]) {
      const answer = await send();
      expect([answer.status, answer.headers["retry-after"], answer.body.detail]).toEqual([
        503,
        "300",
        expect.stringContaining("3000 of 3000"),
      ]);
    }
    expect(ids(await read(made.id))).toHaveLength(3000);
    const { rows } = await door.db.pool.query("select data from audit_events where name = 'request.held'");
    expect(rows).toEqual([{ data: { guard: "memberGuard" } }, { data: { guard: "memberGuard" } }]);
  });

  test("M1: a deleted group is gone, its members are not", async () => {
    const made = await group("short-lived", [member(5)]);
    expect((await door.request("DELETE", `/Groups/${made.id}`)).status).toBe(204);
    expect((await door.request("GET", `/Groups/${made.id}`)).status).toBe(404);
    expect((await door.request("DELETE", `/Groups/${made.id}`)).status).toBe(404);
    expect((await door.request("GET", `/Users/${people[5]}`)).body.groups).toBeUndefined();
  });

  test("RFC 7644 3.14: If-None-Match spares no answer whose members have changed since, though the version has not", async () => {
    const [stays, goes, comes] = await Promise.all(
      ["stays", "goes", "comes"].map(
        async (userName) => (await door.request("POST", "/Users", { body: { schemas: [USER], userName } })).body.id,
      ),
    );
    const { id, meta } = await group("kept by a client", [{ value: stays }, { value: goes }]);
    const held = async (query = "") => {
      const { status, body } = await door.request("GET", `/Groups/${id}${query}`, { headers: { "If-None-Match": meta.version } });
      return [status, body.members?.map(({ display }: { display: string }) => display).sort()];
    };
    expect(await held()).toEqual([304, undefined]);
    await door.request("PUT", `/Users/${stays}`, { body: { schemas: [USER], userName: "stays", displayName: "renamed" } });
    expect(await held()).toEqual([200, ["goes", "renamed"]]);
    expect(await held("?excludedAttributes=members")).toEqual([304, undefined]);
    expect(await held("?attributes=displayName")).toEqual([304, undefined]);
    await door.db.pool.query("update people set modified_at = modified_at - interval '1 minute' where id = $1", [stays]);
    expect(await held()).toEqual([304, undefined]);
    await door.request("DELETE", `/Users/${goes}`);
    expect(await held()).toEqual([200, ["renamed"]]);
    // As a run puts somebody in.
    await door.db.pool.query("update memberships set recorded_from = recorded_from - interval '1 hour' where group_id = $1", [id]);
    expect(await held()).toEqual([304, undefined]);
    await door.db.pool.query(
      `insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
       select $1::uuid, a.person_id, a.connection_id, a.id, now(), now() from accounts a where a.person_id = $2::uuid`,
      [id, comes],
    );
    expect(await held()).toEqual([200, ["comes", "renamed"]]);
  });
});
