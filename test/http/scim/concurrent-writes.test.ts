import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const WRITERS = 50;

let door: Door;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

const patch = (path: string, operations: unknown[], headers: Record<string, string> = {}) =>
  door.request("patch", path, {
    body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: operations },
    headers,
  });
const newUser = async (userName: string): Promise<string> =>
  (await door.request("post", "/Users", { body: { schemas: [USER], userName } })).body.id;
const writers = <T>(work: (writer: number) => PromiseLike<T>) => Promise.all(Array.from({ length: WRITERS }, (_, writer) => work(writer)));

describe("M1: many writers at once", () => {
  test("on one person: nothing is lost, and every version answered was that state", async () => {
    const id = await newUser("crowd");
    const answers = await writers((writer) =>
      patch(`/Users/${id}`, [{ op: "add", path: "phoneNumbers", value: [{ value: `+44 ${writer}`, type: "work" }] }]),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(WRITERS).fill(200));
    const last = await door.request("get", `/Users/${id}`);
    expect(last.body.phoneNumbers.map(({ value }: { value: string }) => value).sort()).toEqual(
      Array.from({ length: WRITERS }, (_, writer) => `+44 ${writer}`).sort(),
    );
    // A writer's own value is in its answer, and one version never names two states.
    const states = new Map<string, string>([[String(last.headers["etag"]), JSON.stringify(last.body)]]);
    for (const [writer, { headers, body }] of answers.entries()) {
      const version = String(headers["etag"]);
      expect(body.meta.version).toBe(version);
      expect(body.phoneNumbers).toContainEqual({ value: `+44 ${writer}`, type: "work" });
      expect(states.get(version) ?? JSON.stringify(body)).toBe(JSON.stringify(body));
      states.set(version, JSON.stringify(body));
    }
    const { rows } = await door.db.pool.query(
      "select (select version from people where id::text = $1) as version, (select count(*) from audit_events where subject_id = $1 and name = 'person.updated') as events",
      [id],
    );
    expect(rows).toEqual([{ version: WRITERS + 1, events: WRITERS }]);
  });

  test("on one membership: who joins by another way in the same moment is in once, and the others join beside them", async () => {
    const [both, alone] = await Promise.all([newUser("joins twice"), newUser("joins once")]);
    const { id } = (await door.request("post", "/Groups", { body: { schemas: [GROUP], displayName: "Two ways in" } })).body;
    const other = await door.db.pool.connect();
    try {
      await other.query("begin");
      await other.query(
        `insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
         select $1::uuid, a.person_id, a.connection_id, a.id, now(), now() from accounts a where a.person_id = $2::uuid`,
        [id, both],
      );
      const joining = patch(`/Groups/${id}`, [{ op: "add", path: "members", value: [{ value: both }, { value: alone }] }]).then(
        (answer) => answer,
      );
      const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      while ((await door.db.pool.query(waiting)).rowCount === 0) await new Promise((later) => setTimeout(later, 5));
      await other.query("commit");
      expect((await joining).status).toBe(204);
    } finally {
      other.release();
    }
    const { rows } = await door.db.pool.query<{ person: string }>(
      "select person_id as person from memberships where group_id = $1 and recorded_to is null and valid_to is null",
      [id],
    );
    expect(rows.map(({ person }) => person).sort()).toEqual([both, alone].sort());
  });

  test("on one membership: who is taken out while they are added with others is in afterwards, as the answered version says", async () => {
    const [inside, joins, last] = await Promise.all([newUser("taken out"), newUser("comes beside"), newUser("comes last")]);
    const { id } = (await door.request("post", "/Groups", { body: { schemas: [GROUP], displayName: "Out and in" } })).body;
    const add = (...ids: string[]) => patch(`/Groups/${id}`, [{ op: "add", path: "members", value: ids.map((value) => ({ value })) }]);
    expect((await add(inside)).status).toBe(204);
    const other = await door.db.pool.connect();
    try {
      // As a removal does it, stopped before its end.
      await other.query("begin");
      await other.query("update groups set version = version + 1 where id = $1", [id]);
      const joining = add(inside, joins).then((answer) => answer);
      const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      while ((await door.db.pool.query(waiting)).rowCount === 0) await new Promise((later) => setTimeout(later, 5));
      await other.query("update memberships set recorded_to = clock_timestamp() where group_id = $1 and recorded_to is null", [id]);
      await other.query("commit");
      const { status, headers } = await joining;
      const group = await door.request("get", `/Groups/${id}`);
      expect([status, headers["etag"]]).toEqual([204, group.headers["etag"]]);
      expect(group.body.members.map(({ value }: { value: string }) => value).sort()).toEqual([inside, joins].sort());
    } finally {
      other.release();
    }
    expect((await add(last)).headers["etag"]).toBe((await door.request("get", `/Groups/${id}`)).headers["etag"]);
  });

  test("on one group: nothing is lost, nobody twice, and versions count the changes", async () => {
    const stays = await newUser("stays");
    const people = await writers((writer) => newUser(`member${writer}`));
    const leavers = people.filter((_, at) => at % 2 === 0);
    const created = await door.request("post", "/Groups", {
      body: { schemas: [GROUP], displayName: "Crowd", members: [stays, ...leavers].map((value) => ({ value })) },
    });
    const path = `/Groups/${created.body.id}`;
    const before = Number(/"(\d+)\./.exec(String(created.headers["etag"]))?.[1]);
    const answers = await writers((writer) => {
      const value = people[writer];
      return patch(path, [
        leavers.includes(value ?? "")
          ? { op: "remove", path: `members[value eq "${value}"]` }
          : { op: "add", path: "members", value: [{ value }] },
      ]);
    });
    expect(answers.map(({ status }) => status)).toEqual(Array(WRITERS).fill(204));
    const last = await door.request("get", path);
    const joined = people.filter((id) => !leavers.includes(id));
    expect(last.body.members.map(({ value }: { value: string }) => value).sort()).toEqual([stays, ...joined].sort());
    const version = (etag: unknown) => Number(/"(\d+)\./.exec(String(etag))?.[1]);
    expect(version(last.headers["etag"])).toBe(before + WRITERS);
    for (const { headers } of answers) expect(version(headers["etag"])).toBeGreaterThan(before);
  });

  test("on one group's members, name and number at once: each answers the version that it made, not a later one", async () => {
    const people = await writers((writer) => newUser(`mixed${writer}`));
    const { body } = await door.request("post", "/Groups", { body: { schemas: [GROUP], displayName: "Mixed" } });
    const answers = await writers((writer) =>
      patch(`/Groups/${body.id}`, [
        writer % 2
          ? { op: "add", path: "members", value: [{ value: people[writer] }] }
          : { op: "replace", path: "externalId", value: `X${writer}` },
      ]),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(WRITERS).fill(204));
    expect(new Set(answers.map(({ headers }) => headers["etag"])).size).toBe(WRITERS);
  });

  test("who joins and leaves by turns ends where the last version says", async () => {
    const member = await newUser("turns");
    const group = await door.request("post", "/Groups", { body: { schemas: [GROUP], displayName: "Turns" } });
    const path = `/Groups/${group.body.id}`;
    const answers = await writers((writer) =>
      writer % 2
        ? patch(path, [{ op: "remove", path: `members[value eq "${member}"]` }])
        : patch(path, [{ op: "add", path: "members", value: [{ value: member }] }]),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(WRITERS).fill(204));
    // What happened, in the order in which the group's versions say it did.
    const { rows } = await door.db.pool.query(
      "select data from audit_events where subject_id = $1 and name = 'group.members_changed' order by id",
      [group.body.id],
    );
    let inside = 0;
    for (const { data } of rows) {
      inside += data.added - data.removed;
      expect([0, 1]).toContain(inside);
    }
    const last = await door.request("get", path);
    expect(last.body.members ?? []).toHaveLength(inside);
  });

  test("RFC 7644 3.14: of many who name one version, one wins, whatever they change", async () => {
    const id = await newUser("tagged");
    const group = await door.request("post", "/Groups", { body: { schemas: [GROUP], displayName: "Tagged" } });
    for (const [path, change] of [
      [`/Users/${id}`, (writer: number) => ({ op: "replace", path: "title", value: `T${writer}` })],
      [`/Groups/${group.body.id}`, (writer: number) => ({ op: "replace", path: "externalId", value: `X${writer}` })],
    ] as const) {
      const etag = String((await door.request("get", path)).headers["etag"]);
      const answers = await writers((writer) => patch(path, [change(writer)], { "If-Match": `"other", ${etag}` }));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status < 300)).toHaveLength(1);
      expect(statuses.filter((status) => status === 412)).toHaveLength(WRITERS - 1);
    }
  });
});

describe("M1: the answer to a write is what a read says", () => {
  const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  test.each([
    { schemas: [USER], userName: "plain" },
    { schemas: [USER, enterprise], userName: "more", active: true, name: { givenName: "Ä" }, [enterprise]: { department: "D" } },
    { schemas: [USER], userName: "inactive", active: false, emails: [{ value: "i@x.test", primary: "True" }] },
    { schemas: [USER, enterprise], userName: "managed", [enterprise]: { manager: { value: "nobody-yet" } } },
  ])("of $userName", async (body) => {
    const created = await door.request("post", "/Users", { body });
    expect(created.status).toBe(201);
    const same = async (answer: { body: unknown; headers: Record<string, string> }) => {
      const read = await door.request("get", `/Users/${created.body.id}`);
      expect(answer.body).toEqual(read.body);
      expect(answer.headers["etag"]).toBe(read.headers["etag"]);
    };
    await same(created);
    await same(await patch(`/Users/${created.body.id}`, [{ op: "replace", path: "title", value: "New" }]));
    await same(await patch(`/Users/${created.body.id}`, [{ op: "replace", path: "title", value: "New" }]));
    await same(await patch(`/Users/${created.body.id}`, [{ op: "replace", path: "active", value: false }]));
    await same(await door.request("put", `/Users/${created.body.id}`, { body: { ...body, nickName: "N" } }));
  });

  test("a change of what only the client keeps moves lastModified too", async () => {
    const { body } = await door.request("post", "/Users", { body: { schemas: [USER], userName: "kept" } });
    const before = await door.request("get", `/Users/${body.id}`);
    await new Promise((later) => setTimeout(later, 5));
    const after = await patch(`/Users/${body.id}`, [{ op: "add", path: "roles", value: [{ value: "admin" }] }]);
    expect(after.body.meta.lastModified > before.body.meta.lastModified).toBe(true);
    const unchanged = await patch(`/Users/${body.id}`, [{ op: "add", path: "roles", value: [{ value: "admin" }] }]);
    expect(unchanged.headers["etag"]).toBe(after.headers["etag"]);
  });
});
