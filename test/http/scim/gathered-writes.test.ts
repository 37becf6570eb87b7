import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
let tokens: string[];
let round = 0;
beforeAll(async () => {
  door = await openDoor();
  const most = JSON.stringify({ disable: { count: 100000, floor: 100000 }, window: { count: 100000, floor: 100000 } });
  await door.db.pool.query("update connections set limits = $1", [most]);
  tokens = await Promise.all(["one", "two", "three"].map(async (name) => (await door.newToken({ name })).token));
});
afterAll(() => door.close());

/** Everybody in `people` whole, as one request makes them: a person, an account, one open period, and the event of their client. */
async function expectWhole(userNames: string): Promise<string[]> {
  const { rows } = await door.db.pool.query<{ id: string; user_name: string; whole: boolean }>(
    `select p.id, p.user_name, (select count(*) from accounts a where a.person_id = p.id and a.native_id = p.id::text) = 1
        and (select count(*) from lifecycle_periods l where l.person_id = p.id and l.recorded_to is null and l.valid_to is null and l.state = p.state) = 1
        and (select count(*) from audit_events e where e.subject_id = p.id::text and e.name = 'person.joined' and e.actor like 'token:%') = 1 as whole
     from people p where p.user_name like $1 order by 2`,
    [userNames],
  );
  expect(rows.filter(({ whole }) => !whole)).toEqual([]);
  const orphans = await door.db.pool.query(
    "select from accounts a where kind = 'user' and not exists (select from people p where p.id = a.person_id)",
  );
  expect(orphans.rowCount).toBe(0);
  return rows.map(({ user_name }) => user_name);
}

const newcomer = fc.record({ kind: fc.constant("post" as const), client: fc.nat(2), name: fc.nat(6) });
const change = fc.record({
  kind: fc.constant("patch" as const),
  client: fc.nat(2),
  whom: fc.nat(3),
  active: fc.option(fc.boolean(), { nil: undefined, freq: 3 }),
  tagged: fc.boolean(),
});

test("M1: whatever clients write at once comes to what they write one after another, in an order that each person's own record tells", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 2, arbitrary: change }, newcomer), { minLength: 12, maxLength: 40 }),
      whileTimeLasts(async (requests) => {
        round += 1;
        const post = (userName: string, client: number) =>
          door.request("post", "/Users", { body: { schemas: [USER], userName, title: `by ${client}` }, token: tokens[client] ?? null });
        const people = await Promise.all([0, 1, 2, 3].map((whom) => post(`r${round}p${whom}`, 0)));
        const answers = await Promise.all(
          requests.map((request, number) => {
            if (request.kind === "post") return post(`R${round}N${request.name}`, request.client);
            const person = people[request.whom];
            const operations = [
              { op: "add", path: "phoneNumbers", value: [{ value: `+${number}`, type: "work" }] },
              { op: "replace", path: "title", value: `T${number}` },
              ...(request.active === undefined ? [] : [{ op: "replace", path: "active", value: request.active }]),
            ];
            return door.request("patch", `/Users/${person?.body.id}`, {
              body: { schemas: [PATCH_OP], Operations: operations },
              token: tokens[request.client] ?? null,
              headers: request.tagged ? { "If-Match": String(person?.headers["etag"]) } : {},
            });
          }),
        );
        const statuses = answers.map(({ status }) => status);
        for (const [number, request] of requests.entries())
          expect(request.kind === "post" ? [201, 409] : request.tagged ? [200, 412] : [200]).toContain(statuses[number]);

        // One of those who claim a name has it, and everybody is there whole.
        const made = await expectWhole(`R${round}N%`);
        const names = new Set(requests.flatMap((request) => (request.kind === "post" ? [`R${round}N${request.name}`] : [])));
        expect(made).toEqual([...names].sort());
        expect(statuses.filter((status) => status === 201)).toHaveLength(names.size);

        for (const [whom, { body: begun, headers }] of people.entries()) {
          const theirs = requests.flatMap((request, number) =>
            request.kind === "patch" && request.whom === whom ? [{ ...request, number }] : [],
          );
          const done = theirs.filter(({ number }) => statuses[number] === 200);
          const { body } = await door.request("get", `/Users/${begun.id}`);
          // Each adds a number at the end: that is the order in which they came.
          const order = ((body.phoneNumbers ?? []) as { value: string }[]).map(({ value }) => Number(value));
          expect([...order].sort((a, b) => a - b)).toEqual(done.map(({ number }) => number));
          expect(body.title).toBe(order.length === 0 ? begun.title : `T${order.at(-1)}`);
          const active = order.map((number) => done.find((each) => each.number === number)?.active).filter((each) => each !== undefined);
          expect(body.active).toBe(active.at(-1) ?? true);
          const version = (etag: unknown) => Number(/"(\d+)\./.exec(String(etag))?.[1]);
          // The general way, which who has come too often in vain goes, counts a change of the state for itself.
          const risen = version(body.meta.version) - version(headers["etag"]);
          expect(risen).toBeGreaterThanOrEqual(done.length);
          expect(risen).toBeLessThanOrEqual(done.length + active.length);
          // Who named the first version could only be the first.
          const tagged = done.filter((each) => each.tagged).map(({ number }) => number);
          expect(tagged.length).toBeLessThanOrEqual(1);
          if (tagged.length === 1) expect(order[0]).toBe(tagged[0]);
          const { rows } = await door.db.pool.query<{ actor: string; correlation_id: string }>(
            "select actor, correlation_id from audit_events where subject_id = $1 and name = 'person.updated' order by id",
            [begun.id],
          );
          expect(rows.map(({ actor }) => actor)).toEqual(
            order.map((number) => `token:${["one", "two", "three"][requests[number]?.client ?? 0]}`),
          );
          expect(new Set(rows.map(({ correlation_id }) => correlation_id)).size).toBe(rows.length);
        }
      }),
    ),
    { numRuns: 10 },
  );
});

test("B2, M1: who is suspended and who comes back at one moment each get their own block, period and event, and only who left counts", async () => {
  round += 1;
  const people = await Promise.all(
    [0, 1, 2, 3, 4, 5, 6, 7].map((number) =>
      door.request("post", "/Users", { body: { schemas: [USER], userName: `both${number}` }, token: tokens[0] ?? null }),
    ),
  );
  const setActive = (number: number, active: boolean) =>
    door.request("patch", `/Users/${people[number]?.body.id}`, {
      body: { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "active", value: active }] },
      token: tokens[0] ?? null,
    });
  const leavers = async () =>
    Number((await door.db.pool.query("select coalesce(sum(count), 0) as left from guard_counts where action = 'disable'")).rows[0]?.left);
  for (const number of [0, 2, 4, 6]) expect((await setActive(number, false)).status).toBe(200);
  const before = await leavers();
  const answers = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((number) => setActive(number, number % 2 === 0)));
  expect(answers.map(({ status, body }) => [status, body.active])).toEqual(answers.map((_, number) => [200, number % 2 === 0]));
  expect((await leavers()) - before).toBe(4);
  const { rows } = await door.db.pool.query(
    `select p.state, (select count(*)::int from blocks b where b.person_id = p.id and b.recorded_to is null and b.valid_to is null) as blocks,
       (select string_agg(l.state, ' ' order by l.valid_from) from lifecycle_periods l where l.person_id = p.id and l.recorded_to is null) as periods,
       (select string_agg(e.name, ' ' order by e.id) from audit_events e where e.subject_id = p.id::text) as events
     from people p where p.user_name like 'both%' order by p.user_name`,
  );
  const back = {
    state: "active",
    blocks: 0,
    periods: "active suspended active",
    events: "person.joined person.suspended person.activated",
  };
  const gone = { state: "suspended", blocks: 1, periods: "active suspended", events: "person.joined person.suspended" };
  expect(rows).toEqual([back, gone, back, gone, back, gone, back, gone]);
});

test("M1: connections to PostgreSQL that are lost in the middle of a batch leave everybody whole or not there, and who was answered is there", async () => {
  const people = 200;
  const broken = { connections: 0 };
  const over = new AbortController();
  const breaking = (async () => {
    while (!over.signal.aborted) {
      const { rows } = await door.db.pool.query<{ ended: number }>(
        `select count(pg_terminate_backend(pid))::int as ended from pg_stat_activity
         where datname = current_database() and application_name like '%:request' and state = 'active'`,
      );
      broken.connections += rows[0]?.ended ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const answered: string[] = [];
  let failed = 0;
  await Promise.all(
    Array.from({ length: 20 }, async (_, client) => {
      for (let number = client; number < people || broken.connections === 0; number += 20) {
        const userName = `lost${String(number).padStart(5, "0")}`;
        const { status } = await door.request("post", "/Users", { body: { schemas: [USER], userName } });
        if (status === 201) answered.push(userName);
        else failed += 1;
      }
    }),
  );
  over.abort();
  await breaking;
  expect(broken.connections).toBeGreaterThan(0);
  const there = await expectWhole("lost%");
  expect(there).toEqual(expect.arrayContaining(answered));
  expect(there.length).toBeLessThanOrEqual(answered.length + failed);
});
