import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";

let door: Door;
let own: string;
beforeAll(async () => {
  door = await openDoor();
  const { rows } = await door.db.pool.query<{ id: number }>(
    `insert into connections (name, connector, settings) values ('narrow', 'scim-inbound', '{"visibility": "own"}') returning id`,
  );
  own = (await door.newToken({ connectionId: rows[0]?.id })).token;
});
afterAll(() => door.close());

const make = (userName: string, token?: string) =>
  door.request("POST", "/Users", { body: { schemas: [USER], userName }, ...(token ? { token } : {}) }).expect(201);
const total = async (query: string, token?: string) =>
  (await door.request("GET", `/Users${query}`, token ? { token } : {}).expect(200)).body.totalResults as number;

test("M1: whoever asks for a page sees all that was written before, while many ask for the same one", async () => {
  let written = 0;
  const writing = new AbortController();
  const seen: number[] = [];
  const readers = Array.from({ length: 8 }, async () => {
    while (!writing.signal.aborted) {
      const before = written;
      const found = await total("?startIndex=1&count=2");
      expect(found).toBeGreaterThanOrEqual(before);
      seen.push(found);
    }
  });
  try {
    for (; written < 20; written += 1) await make(`at-once-${written}`);
  } finally {
    writing.abort();
    await Promise.all(readers);
  }
  expect(await total("?startIndex=1&count=2")).toBe(20);
  expect(seen.length).toBeGreaterThan(0);
});

test("B10: clients that see others ask for the same page at one moment, and each is answered what it may see", async () => {
  await make("narrow-1", own);
  const all = await total("");
  expect(all).toBeGreaterThan(1);
  const asked = Array.from({ length: 24 }, (_, at) => (at % 2 ? total("?count=3", own) : total("?count=3")));
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 24 }, (_, at) => (at % 2 ? 1 : all)));
});

test("one page that many ask for at one moment is read by few statements", async () => {
  await Promise.all(Array.from({ length: 4 }, () => total("?count=4")));
  const reads: string[] = [];
  const { readPool } = door.db;
  const query = readPool.query.bind(readPool) as (...given: unknown[]) => Promise<unknown>;
  Object.assign(readPool, {
    // Long enough for others to ask meanwhile, however quick the machine is.
    query: async (...given: unknown[]) => {
      reads.push(JSON.stringify(given[0]));
      await wait(30);
      return query(...given);
    },
  });
  try {
    await Promise.all(Array.from({ length: 24 }, () => total("?count=4")));
  } finally {
    Object.assign(readPool, { query });
  }
  const pages = reads.filter((text) => text.includes("counted"));
  expect(pages.length).toBeGreaterThan(0);
  expect(pages.length).toBeLessThan(24);
});
