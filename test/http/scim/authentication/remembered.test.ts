import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { revokeToken } from "../../../../src/auth/tokens.ts";
import { addConnection } from "../../../../src/connections/store.ts";
import { inTransaction } from "../../../../src/db/database.ts";
import { testContext } from "../../../helpers/database.ts";
import { keyRing, openDoor, type Door } from "../door.ts";

let clock = new Date("2026-11-01T12:00:00Z").getTime();
const now = () => new Date(clock);
const HOUR = 3_600_000;

let door: Door;
let id: string;
beforeAll(async () => {
  door = await openDoor({ now });
  id = (await door.request("POST", "/Users", { body: { userName: "ada" } })).body.id;
});
afterAll(() => door.close());

const work = <T>(act: Parameters<typeof inTransaction<T>>[2]) => inTransaction(door.db, testContext({ now }), act);
const connect = (settings: object = {}, more: object = {}) =>
  work((w) => addConnection(w, { definition: { name: "idp", connector: "scim-inbound", settings, ...more }, keyRing, replace: true }));
const idp = async () => (await door.db.pool.query<{ id: number }>("select id from connections where name = 'idp'")).rows[0]?.id ?? 0;

/** A token that the door knows from its last request: the next read of it is proved by the read itself. */
async function remembered(options: Parameters<Door["newToken"]>[0] = {}) {
  const made = await door.newToken(options);
  for (const path of READS()) expect((await door.request("GET", path, { token: made.token })).status).toBe(200);
  return made;
}
const READS = () => [`/Users/${id}`, "/Users", '/Users?filter=userName eq "ada"', "/Groups", "/Units", "/Roles"];
const BAD_READS = () => [`/Users/${randomUUID()}`, "/Users/none", "/Users?filter=rubbish", "/Users?attributes=id&excludedAttributes=id"];

const WRITES = (): [string, string, object][] => [
  ["POST", "/Users", { userName: "intruder" }],
  ["POST", "/Users", { userName: "ada" }],
  ["POST", "/Users", { userName: 7 }],
  ["PUT", `/Users/${id}`, { userName: "intruder" }],
  ["PATCH", `/Users/${id}`, patched([{ op: "replace", path: "active", value: false }])],
  ["PATCH", `/Users/${id}`, patched([{ op: "replace", path: "rubbish", value: 1 }])],
  ["PATCH", `/Users/${randomUUID()}`, patched([{ op: "replace", path: "title", value: "T" }])],
  ["PATCH", "/Users/none", patched([{ op: "replace", path: "title", value: "T" }])],
];
const patched = (operations: object[]) => ({ schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: operations });

async function everyWrite(token: string, status: number) {
  const state = async () =>
    (
      await door.db.pool.query(
        "select (select jsonb_agg(jsonb_build_array(id, version, user_name, active) order by id) from people) as people, (select count(*) from audit_events) as events",
      )
    ).rows;
  const before = await state();
  for (const tag of [undefined, 'W/"9.9"'])
    for (const [method, path, body] of WRITES()) {
      const answer = await door.request(method, path, { token, body, headers: tag === undefined ? {} : { "If-Match": tag } });
      expect([method, path, answer.status]).toEqual([method, path, status]);
      expect(answer.text).not.toContain("ada");
    }
  expect(await state()).toEqual(before);
}

async function everyRead(token: string, status: number) {
  for (const path of [...READS(), ...BAD_READS()]) {
    const answer = await door.request("GET", path, { token });
    expect([path, answer.status]).toEqual([path, status]);
    expect(answer.text).not.toContain("ada");
  }
}

describe("G5: a client that was let in a moment ago", () => {
  test("G5: is refused by every read and every write from the moment its token is revoked, changes nothing, and learns nothing from what it asked", async () => {
    const { id: tokenId, token } = await remembered();
    await work((w) => revokeToken(w, { id: tokenId, reason: "leaked" }));
    await everyWrite(token, 401);
    await everyRead(token, 401);
  });

  test("G5: changes no group's members from the moment its token is revoked, and learns nothing of the group", async () => {
    const { id: tokenId, token } = await remembered();
    const group = (await door.request("POST", "/Groups", { token, body: { displayName: "of the leaked" } })).body.id;
    const other = (await door.request("POST", "/Users", { token, body: { userName: "not for the leaked" } })).body.id;
    const patch = (op: string, headers: Record<string, string> = {}, value = id) =>
      door.request("PATCH", `/Groups/${group}`, {
        token,
        headers,
        body: { Operations: [{ op, path: "members", value: [{ value }] }] },
      });
    expect((await patch("add")).status).toBe(204);
    await work((w) => revokeToken(w, { id: tokenId, reason: "leaked" }));
    const both: Record<string, string>[] = [{}, { "If-Match": 'W/"0.0"' }];
    for (const headers of both) {
      expect((await patch("remove", headers)).status).toBe(401);
      expect((await patch("add", headers, other)).status).toBe(401);
      expect((await patch("add", headers, randomUUID())).status).toBe(401);
      expect((await patch("rubbish", headers)).status).toBe(401);
    }
    const { rows } = await door.db.pool.query("select person_id from memberships where group_id = $1 and recorded_to is null", [group]);
    expect(rows).toEqual([{ person_id: id }]);
  });

  test("G5: is refused when its token has expired, to the second", async () => {
    const { token } = await remembered({ expiresAt: new Date(clock + HOUR) });
    clock += HOUR - 1;
    expect((await door.request("GET", "/Users", { token })).status).toBe(200);
    clock += 1;
    await everyWrite(token, 401);
    await everyRead(token, 401);
  });

  test("G5: is refused when its connection is switched off, and let in when it is on again", async () => {
    await connect();
    const { token } = await remembered({ connectionId: await idp() });
    await door.db.pool.query("update connections set enabled = false where name = 'idp'");
    await everyWrite(token, 403);
    await everyRead(token, 403);
    await door.db.pool.query("update connections set enabled = true where name = 'idp'");
    expect((await door.request("GET", `/Users/${id}`, { token })).status).toBe(200);
  });

  test("G5: is refused when the person whose token it is may not act any more", async () => {
    const person = (await door.request("POST", "/Users", { body: { userName: "grace" } })).body.id;
    const { token } = await remembered({ personId: person });
    await door.db.pool.query("update people set active = false where id = $1", [person]);
    await everyWrite(token, 401);
    await everyRead(token, 401);
  });

  test("G5: is refused when the person who answers for its token may not act any more", async () => {
    const person = (await door.request("POST", "/Users", { body: { userName: "mary" } })).body.id;
    const { token } = await remembered({ responsibleId: person });
    await door.db.pool.query("update people set active = false where id = $1", [person]);
    await everyWrite(token, 401);
    await everyRead(token, 401);
    await door.db.pool.query("update people set active = true where id = $1", [person]);
    expect((await door.request("GET", "/Users", { token })).status).toBe(200);
    await work((w) =>
      w.sql.query("insert into person_expiries (person_id, valid_from, recorded_from, reason) values ($1, $2, $2, 'ended')", [
        person,
        now(),
      ]),
    );
    await everyWrite(token, 401);
    await everyRead(token, 401);
  });

  test("G5: reads by the settings of now: visibility, and the certificate that is needed beside the token", async () => {
    await connect();
    const { token } = await remembered({ connectionId: await idp() });
    await connect({ visibility: "own" });
    expect((await door.request("GET", `/Users/${id}`, { token })).status).toBe(404);
    expect((await door.request("GET", "/Users", { token })).body.totalResults).toBe(0);
    await connect({ certificates: { use: "with-token", sha256: ["ab".repeat(32)] } });
    await everyRead(token, 401);
  });

  test("G5: opens no other connection's door", async () => {
    await connect();
    const { token } = await remembered({ connectionId: await idp() });
    expect((await door.request("GET", "/scim/idp/v2/Users", { token })).status).toBe(200);
    expect((await door.request("GET", "/scim/scim/v2/Users", { token })).status).toBe(403);
    expect((await door.request("GET", "/scim/none/v2/Users", { token })).status).toBe(403);
  });

  test("G5: has no more of a bulk request carried out once its token is revoked, and learns what was done", async () => {
    let ticking = new Date("2026-11-01T12:00:00Z").getTime();
    const other = await openDoor({ now: () => new Date((ticking += 20)) });
    try {
      const { id: tokenId, token } = await other.newToken();
      const Operations = Array.from({ length: 300 }, (_, at) => ({
        method: "POST",
        path: "/Users",
        bulkId: `b${at}`,
        data: { userName: `bulk-${at}` },
      }));
      const answered = other.request("POST", "/Bulk", { token, body: { Operations } }).then((answer) => answer);
      const made = async () =>
        (await other.db.pool.query<{ n: number }>("select count(*)::int as n from people where user_name like 'bulk-%'")).rows[0]?.n ?? 0;
      while ((await made()) < 5) await new Promise((later) => setTimeout(later, 5));
      await other.db.pool.query("update tokens set revoked_at = now(), revoked_reason = 'leaked' where id = $1", [tokenId]);
      const { status, body } = await answered;
      const statuses: string[] = body.Operations.map((each: { status: string }) => each.status);
      expect([status, statuses.length, statuses.at(-1)]).toEqual([200, 300, "401"]);
      expect(statuses.filter((each) => each === "201")).toHaveLength(await made());
    } finally {
      await other.close();
    }
  });

  test("O1: a read that nothing proves is not answered: unknown tokens beside remembered ones", async () => {
    const { token } = await remembered();
    const stranger = token.slice(0, -4) + (token.endsWith("AAAA") ? "BBBB" : "AAAA");
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => door.request("GET", `/Users/${id}`, { token: at % 2 ? stranger : token })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, at) => (at % 2 ? 401 : 200)));
  });
});
