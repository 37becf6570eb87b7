import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/** More than are read at once, so that they come in portions. */
const MANY = 1200;

let door: Door;
let people: string[];
beforeAll(async () => {
  door = await openDoor();
  people = Array.from({ length: MANY }, () => randomUUID());
  // Names with what JSON escapes, and with letters of more than one byte.
  await door.db.pool.query(
    `insert into people (id, user_name, display_name, attributes, state, active, created_at, modified_at)
     select id, 'm' || at, 'Łukasz "M' || at || E'"\\t\\\\ 😀', '{}', 'active', true, now(), now() from unnest($1::uuid[]) with ordinality as each (id, at)`,
    [people],
  );
});
afterAll(() => door.close());

interface Member {
  value: string;
  $ref: string;
  display: string;
  type: string;
}

const group = async (displayName: string, members: object[]) => {
  const answer = await door.request("POST", "/Groups", { body: { schemas: [GROUP], displayName, members } });
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
  return answer.body as { id: string; meta: { version: string; location: string }; members: Member[] };
};
const read = (id: string, query = "") => door.request("GET", `/Groups/${id}${query}`);
const sorted = (members: readonly Member[]) => members.toSorted((one, other) => (one.value < other.value ? -1 : 1));
const everybody = () => people.map((value) => ({ value }));

describe("M1: groups of many members", () => {
  test("M1: members that are read in portions are those that are read at once, each once, with their names; groups among them", async () => {
    const inner = await group("inner", [{ value: people[0] }]);
    const made = await group("large", [...everybody(), { value: inner.id }]);
    const { headers, body } = await read(made.id);
    expect(headers["transfer-encoding"]).toBe("chunked");
    expect(headers["content-type"]).toMatch(/^application\/scim\+json/);
    expect(headers["etag"]).toBe(made.meta.version);
    expect(body.members).toHaveLength(MANY + 1);
    expect(sorted(body.members)).toEqual(sorted(made.members));
    expect({ ...body, members: [] }).toEqual({ ...made, members: [] });
    const named = await read(made.id, "?attributes=members");
    expect(sorted(named.body.members)).toEqual(sorted(made.members));
    expect(body.members.find(({ value }: Member) => value === people[1]).display).toBe('Łukasz "M2"\t\\ 😀');
    expect(body.members.find(({ value }: Member) => value === inner.id)).toMatchObject({ type: "Group", $ref: inner.meta.location });
  });

  test("M1: a client that holds the version is told so, whatever the members; without members there is none to send", async () => {
    const made = await group("known", everybody());
    const known = await door.request("GET", `/Groups/${made.id}`, { headers: { "If-None-Match": made.meta.version } });
    expect([known.status, known.text]).toEqual([304, ""]);
    expect((await read(made.id, "?excludedAttributes=members")).body.members).toBeUndefined();
    await door.db.pool.query("update people set deleted_at = now(), state = 'deleted' where id = any($1)", [people.slice(0, 10)]);
    try {
      expect((await read(made.id)).body.members).toHaveLength(MANY - 10);
    } finally {
      await door.db.pool.query("update people set deleted_at = null, state = 'active' where id = any($1)", [people.slice(0, 10)]);
    }
  });

  test("M1: while members come and go, every answer has the members of the version that it names", async () => {
    const made = await group("moving", everybody().slice(0, MANY - 20));
    const counts = new Map([[made.meta.version, MANY - 20]]);
    const writing = { over: false };
    const reading = (async () => {
      const seen: [string, number][] = [];
      while (!writing.over) {
        const { status, headers, body } = await read(made.id);
        expect(status).toBe(200);
        expect(body.meta.version).toBe(headers["etag"]);
        seen.push([body.meta.version, body.members.length]);
      }
      return seen;
    })();
    for (let joined = 1; joined <= 20; joined++) {
      const value = [{ value: people[MANY - joined] }];
      const { status, headers } = await door.request("PATCH", `/Groups/${made.id}`, {
        body: { schemas: [PATCH_OP], Operations: [{ op: "add", path: "members", value }] },
      });
      expect(status).toBe(204);
      counts.set(headers["etag"] ?? "", MANY - 20 + joined);
    }
    writing.over = true;
    const seen = await reading;
    expect(seen.length).toBeGreaterThan(0);
    for (const [version, count] of seen) expect([version, count]).toEqual([version, counts.get(version)]);
  });

  test("M1: when the members can't be read to the end, the answer is cut off and never looks whole", async () => {
    const made = await group("broken", everybody());
    const { db } = door;
    const connect = db.readPool.connect.bind(db.readPool);
    let told = 0;
    // The connection to PostgreSQL goes in the middle of the members; others, who ask with a callback, keep theirs.
    db.readPool.connect = (async (callback?: Parameters<typeof connect>[0]) => {
      if (callback) return connect(callback);
      const client = await connect();
      const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { stream: { destroy(): void } } };
      connection.on("dataRow", () => {
        if (++told === 3) connection.stream.destroy();
      });
      return client;
    }) as typeof db.readPool.connect;
    try {
      await expect(read(made.id)).rejects.toThrow();
    } finally {
      db.readPool.connect = connect;
    }
    expect((await read(made.id)).body.members).toHaveLength(MANY);
  });
});
