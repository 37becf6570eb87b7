import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Test } from "supertest";
import { openApi, type ApiDoor } from "./api-door.ts";

let door: ApiDoor;
beforeAll(async () => {
  door = await openApi();
});
afterAll(() => door?.close());

/** Asks while somebody else holds a table, and has the database cut off the statement that waits for it, as it does after a time. */
async function askedInVain(table: string, path: string) {
  const holder = await door.db.pool.connect();
  try {
    await holder.query("begin");
    await holder.query(`lock table ${table} in access exclusive mode`);
    const answer = startedNow(door.request("GET", path));
    await cutOffWaiting(table);
    return await answer;
  } finally {
    await holder.query("rollback");
    holder.release();
  }
}

/** supertest sends when it is awaited. */
const startedNow = (request: Test) => request.then((answer) => answer);

async function cutOffWaiting(table: string): Promise<void> {
  for (;;) {
    const { rows } = await door.db.pool.query(
      "select pg_cancel_backend(pid) from pg_locks where not granted and locktype = 'relation' and relation = $1::regclass and database = (select oid from pg_database where datname = current_database())",
      [table],
    );
    if (rows.length > 0) return;
    await new Promise((passed) => setTimeout(passed, 10));
  }
}

describe("a question that takes too long is cut off, and the answer says what to do", () => {
  test("a list says by what it can be narrowed, and when to ask again; it is nobody else's fault (502)", async () => {
    const { status, body, headers } = await askedInVain("grants", "/grants");
    expect([status, body.code, headers["retry-after"]]).toEqual([503, "unavailable", "5"]);
    expect(body.detail).toBe(
      "This question takes too long and was cut off. Narrow it by person, group, unit, role, source, state, or ask for fewer with limit.",
    );
  });

  test("what can't be narrowed is asked again", async () => {
    const unitId = await door.newUnit();
    const { status, body } = await askedInVain("units", `/units/${unitId}`);
    expect([status, body.detail]).toEqual([503, "This question takes too long and was cut off. Ask again in a moment."]);
  });

  test("a file whose first portion is cut off is a problem, not a broken connection", async () => {
    const { status, body, type } = await askedInVain("incidents", "/incidents/export");
    expect([status, type]).toEqual([503, "application/problem+json"]);
    expect(body.detail).toContain("Narrow it by state, kind, personId, assigneeId.");
  });
});
