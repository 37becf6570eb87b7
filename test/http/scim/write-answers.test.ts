import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { whileTimeLasts } from "../../helpers/while-time-lasts.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
  const most = { count: 100_000, floor: 100_000 };
  await door.db.pool.query("update connections set limits = $1", [JSON.stringify({ disable: most, delete: most, window: most })]);
});
afterAll(() => door?.close());

const word = fc.constantFrom("a", 'é\u2028"\\', "c");
const profile = fc.record(
  {
    title: word,
    displayName: word,
    name: fc.record({ givenName: word, familyName: word }, { requiredKeys: [] }),
    emails: fc.array(fc.record({ value: word, type: fc.constantFrom("work", "home") }), { minLength: 1, maxLength: 2 }),
    active: fc.boolean(),
    roles: fc.array(fc.record({ value: word, primary: fc.boolean() }), { minLength: 1, maxLength: 1 }),
    [ENTERPRISE]: fc.record({ department: word, manager: fc.constant({ value: "nobody" }) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const step = fc.record({ method: fc.constantFrom("PATCH", "PUT"), profile, joins: fc.boolean() });

test("M1: a write answers what a read right after it answers, groups and entity tag too", async () => {
  let round = 0;
  const groups = await Promise.all(
    ["Zeta", "Alpha"].map(
      async (displayName) => (await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName } })).body.id,
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      profile,
      fc.array(step, { minLength: 2, maxLength: 6 }),
      whileTimeLasts(async (first, steps) => {
        const userName = `answered${round++}`;
        const body = { schemas: [USER, ENTERPRISE], userName, ...first };
        const made = await door.request("POST", "/Users", { body }).expect(201);
        const read = () => door.request("GET", `/Users/${made.body.id}`).expect(200);
        const expectRead = async (answer: { body: unknown; headers: Record<string, string> }) => {
          const { body: shown, headers } = await read();
          expect(answer.body).toEqual(shown);
          expect(answer.headers["etag"]).toBe(headers["etag"]);
        };
        await expectRead(made);
        for (const [at, { method, profile: next, joins }] of steps.entries()) {
          const operations = [{ op: joins ? "add" : "remove", path: "members", value: [{ value: made.body.id }] }];
          await door.request("PATCH", `/Groups/${groups[at % 2]}`, { body: { schemas: [PATCH_OP], Operations: operations } }).expect(204);
          const change =
            method === "PUT"
              ? { schemas: [USER, ENTERPRISE], userName, ...next }
              : { schemas: [PATCH_OP], Operations: [{ op: "replace", value: { nickName: `${at}`, ...next } }] };
          await expectRead(await door.request(method, `/Users/${made.body.id.toUpperCase()}`, { body: change }).expect(200));
        }
      }),
    ),
    { numRuns: 15 },
  );
});

test("a client that sees only its own is told of no other's groups by what its write answers", async () => {
  const { pool } = door.db;
  const own = await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName: "Own" } }).expect(201);
  const { body } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "secluded" } }).expect(201);
  const members = { schemas: [PATCH_OP], Operations: [{ op: "add", path: "members", value: [{ value: body.id }] }] };
  await door.request("PATCH", `/Groups/${own.body.id}`, { body: members }).expect(204);
  const { rows } = await pool.query<{ id: string }>(
    "insert into groups (id, display_name, created_at, modified_at) values (gen_random_uuid(), 'Elsewhere', now(), now()) returning id",
  );
  await pool.query("insert into memberships (group_id, person_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
    rows[0]?.id,
    body.id,
  ]);
  await pool.query('update connections set settings = settings || \'{"visibility": "own"}\', version = version + 1');
  const change = { schemas: [PATCH_OP], Operations: [{ op: "replace", path: "title", value: "Keeper" }] };
  const answer = await door.request("PATCH", `/Users/${body.id}`, { body: change }).expect(200);
  expect(answer.body.title).toBe("Keeper");
  expect(answer.body.groups.map(({ display }: { display: string }) => display)).toEqual(["Own"]);
});
