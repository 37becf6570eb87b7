import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { liftBlocks, raiseBlocks, type Block, type BlockKey } from "../../src/directory/blocks.ts";
import { settleLifecycle } from "../../src/directory/lifecycle.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";
import { DAY_ONE, HOUR, insertConnection, insertPerson, later, standingClock } from "./fixtures.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now, actor: "cli:test" }), flow);
const raise = (...blocks: Block[]) => inWork((work) => raiseBlocks(work, blocks));
const lift = (...blocks: BlockKey[]) => inWork((work) => liftBlocks(work, blocks));
const person = async (id: string) => (await db.pool.query("select active, state, version from people where id = $1", [id])).rows[0];
const events = async (id: string) =>
  (await db.pool.query("select name, actor, reason, data from audit_events where subject_id = $1 order by id", [id])).rows;

describe("block reasons decide the state", () => {
  test("a reason beside others is a new version: who decided on the older one must look again", async () => {
    const id = await insertPerson(db.pool);
    const connectionId = await insertConnection(db.pool, { name: "beside" });
    await raise({ personId: id, owner: "origin", connectionId, effect: "suspended", reason: "not active at the source" });
    const { version } = await person(id);
    await raise({ personId: id, owner: "admin", effect: "suspended", reason: "under investigation" });
    expect(await person(id)).toEqual({ active: false, state: "suspended", version: version + 1 });
    await lift({ personId: id, owner: "origin", connectionId });
    expect(await person(id)).toEqual({ active: false, state: "suspended", version: version + 2 });
  });

  test("P5: a clock that is behind, or was set back, keeps no block from being raised again", async () => {
    const start = clock.now();
    const id = await insertPerson(db.pool);
    const block: Block = { personId: id, owner: "admin", effect: "suspended", reason: "under investigation" };
    clock.forward(HOUR);
    await raise(block);
    clock.forward(HOUR);
    await lift(block);
    clock.set(new Date(start.getTime() + HOUR + 1000));
    expect(await raise(block)).toEqual([id]);
    expect((await person(id)).state).toBe("suspended");
    expect(await raise({ ...block, effect: "deactivated" })).toEqual([id]);
    expect(await lift(block)).toEqual([id]);
    expect(await raise(block)).toEqual([id]);
    expect((await person(id)).state).toBe("suspended");
    clock.set(start);
  });

  test("P5: deactivation wins over suspension; who has no reason left is active again", async () => {
    clock.set(later(HOUR));
    const id = await insertPerson(db.pool);
    expect(await raise({ personId: id, owner: "admin", effect: "suspended", reason: "on leave" })).toEqual([id]);
    expect(await person(id)).toEqual({ active: false, state: "suspended", version: 2 });
    clock.forward(HOUR);
    const connectionId = await insertConnection(db.pool, { name: "hr" });
    expect(await raise({ personId: id, owner: "origin", connectionId, effect: "deactivated", reason: "left the company" })).toEqual([id]);
    expect((await person(id)).state).toBe("deactivated");
    clock.forward(HOUR);
    expect(await lift({ personId: id, owner: "origin", connectionId })).toEqual([id]);
    expect((await person(id)).state).toBe("suspended");
    expect(await lift({ personId: id, owner: "admin" })).toEqual([id]);
    expect(await person(id)).toEqual({ active: true, state: "active", version: 5 });
    expect((await events(id)).map((event) => [event.name, event.reason, event.data])).toEqual([
      ["person.suspended", "on leave", { owner: "admin" }],
      ["person.deactivated", "left the company", { owner: "origin", connection: "hr" }],
      ["person.suspended", "on leave", { owner: "admin" }],
      ["person.activated", "no block reason is left", { owner: "admin" }],
    ]);
  });

  test("what is already so changes nothing; a reason beside another is recorded, the state stays", async () => {
    const id = await insertPerson(db.pool);
    const block: Block = { personId: id, owner: "admin", effect: "deactivated", reason: "left" };
    await raise(block, block);
    const before = await person(id);
    const recorded = (await events(id)).length;
    expect(await raise(block)).toEqual([]);
    expect(await lift({ personId: id, owner: "incident" })).toEqual([]);
    expect(await inWork((work) => settleLifecycle(work, [id]))).toEqual([]);
    expect(await raise({ personId: randomUUID(), owner: "admin", effect: "deactivated", reason: "nobody" })).toEqual([]);
    expect(await person(id)).toEqual(before);
    expect((await events(id)).length).toBe(recorded);
    await raise({ personId: id, owner: "incident", effect: "suspended", reason: "impossible travel" });
    expect(await person(id)).toEqual({ ...before, version: before.version + 1 });
    expect((await events(id)).slice(recorded).map((event) => [event.name, event.data])).toEqual([
      ["block.raised", { owner: "incident", effect: "suspended" }],
    ]);
    await lift({ personId: id, owner: "incident" });
    expect((await events(id)).at(-1)).toMatchObject({ name: "block.lifted", data: { owner: "incident" } });
  });

  test("P5: somebody blocked before answering the invitation is invited again afterwards", async () => {
    const id = await insertPerson(db.pool, { state: "invited" });
    clock.forward(HOUR);
    await raise({ personId: id, owner: "admin", effect: "suspended", reason: "wrong address" });
    clock.forward(HOUR);
    await lift({ personId: id, owner: "admin" });
    expect(await person(id)).toMatchObject({ active: true, state: "invited" });
  });

  test("many people are settled at once", async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, () => insertPerson(db.pool)));
    const changed = await inWork((work) =>
      raiseBlocks(
        work,
        ids.map((personId) => ({ personId, owner: "origin", effect: "deactivated", reason: "gone" })),
      ),
    );
    expect(changed.sort()).toEqual([...ids].sort());
    const { rows } = await db.pool.query(
      "select count(*)::int as count from audit_events where name = 'person.deactivated' and subject_id = any($1)",
      [ids],
    );
    expect(rows[0].count).toBe(50);
  });
});

describe("invariant 5: who leaves loses all in the same transaction", () => {
  test("invariant 5: sessions end, tokens are revoked, grants are withdrawn, with their events; a rollback leaves all as it was", async () => {
    clock.set(later(24 * HOUR));
    const id = await insertPerson(db.pool);
    await db.pool.query(
      "insert into sessions (id, person_id, hash, created_at, last_seen_at, expires_at) values ($1, $2, 'a', $3, $3, $4)",
      [randomUUID(), id, DAY_ONE, later(99 * HOUR)],
    );
    await db.pool.query(
      "insert into tokens (id, name, prefix, hash, scope, person_id, created_at) values ($1, 't', 'p', 'b', 'api', $2, $3)",
      [randomUUID(), id, DAY_ONE],
    );
    const [role, unit] = [randomUUID(), randomUUID()];
    await db.pool.query("insert into roles (id, key, name, created_at, modified_at) values ($1, 'auditor', 'Auditor', $2, $2)", [
      role,
      DAY_ONE,
    ]);
    await db.pool.query("insert into units (id, name, code, created_at, modified_at) values ($1, 'HQ', 'hq', $2, $2)", [unit, DAY_ONE]);
    const grant = (from: Date, to: Date | null) =>
      db.pool.query(
        "insert into grants (grant_id, person_id, role_id, unit_id, source, granted_by, valid_from, valid_to, recorded_from) values ($1, $2, $3, $4, 'manual', 'cli:test', $5, $6, $7)",
        [randomUUID(), id, role, unit, from, to, DAY_ONE],
      );
    await grant(DAY_ONE, null);
    await grant(later(48 * HOUR), later(72 * HOUR));
    await grant(DAY_ONE, later(HOUR));
    const left = async () => {
      const { rows } = await db.pool.query(
        `select (select state from people where id = $1::uuid) as state, (select count(*)::int from sessions where person_id = $1::uuid and ended_at is null) as sessions,
           (select count(*)::int from tokens where person_id = $1::uuid and revoked_at is null) as tokens,
           (select count(*)::int from grants where person_id = $1::uuid and recorded_to is null and (valid_to is null or valid_to > $2)) as grants,
           (select count(*)::int from audit_events where subject_id = $1::text) as events`,
        [id, clock.now()],
      );
      return rows[0];
    };
    const block: Block = { personId: id, owner: "offboarding", effect: "deactivated", reason: "last day" };
    await expect(
      inWork(async (work) => {
        await raiseBlocks(work, [block]);
        throw new Error("the door fails afterwards");
      }),
    ).rejects.toThrow("the door fails");
    expect(await left()).toEqual({ state: "active", sessions: 1, tokens: 1, grants: 2, events: 0 });
    await raise(block);
    expect(await left()).toEqual({ state: "deactivated", sessions: 0, tokens: 0, grants: 0, events: 3 });
    expect((await events(id)).map((event) => event.name)).toEqual(["person.deactivated", "session.ended", "token.revoked"]);
    const { rows } = await db.pool.query("select data, actor, reason from audit_events where name = 'grant.revoked'");
    expect(rows).toEqual(
      [1, 2].map(() => ({
        data: { role: "auditor", unit: "hq", source: "manual" },
        actor: "cli:test",
        reason: "the person was deactivated",
      })),
    );
    await lift({ personId: id, owner: "offboarding" });
    expect(await left()).toMatchObject({ state: "active", grants: 0, tokens: 0 });
  });
});

describe("periods", () => {
  const step = fc.record({
    minutes: fc.integer({ min: 0, max: 3 }),
    owner: fc.constantFrom("admin", "origin", "incident"),
    effect: fc.constantFrom("suspended", "deactivated", "lift"),
    connection: fc.constantFrom(null, 1, 2),
  });

  test("no two current periods overlap, and the past never changes, for any sequence of raising and lifting", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        clock.set(DAY_ONE);
        const personId = await insertPerson(db.pool);
        const standing = new Map<string, string>();
        const stateAt: [Date, string][] = [];
        for (const { minutes, owner, effect, connection } of steps as {
          minutes: number;
          owner: "admin";
          effect: "suspended" | "deactivated" | "lift";
          connection: number | null;
        }[]) {
          clock.forward(minutes * 60_000);
          const key = { personId, owner, connectionId: connection };
          if (effect === "lift") standing.delete(`${owner}${connection}`);
          else standing.set(`${owner}${connection}`, effect);
          if (effect === "lift") await lift(key);
          else await raise({ ...key, effect, reason: "test" });
          const effects = [...standing.values()];
          const expected = effects.includes("deactivated") ? "deactivated" : effects.length ? "suspended" : "active";
          expect(await person(personId)).toMatchObject({ state: expected, active: expected === "active" });
          stateAt.push([clock.now(), expected]);
        }
        const { rows: overlaps } = await db.pool.query(
          `select a.id from lifecycle_periods a join lifecycle_periods b on a.person_id = b.person_id and a.id < b.id and a.valid && b.valid
           where a.person_id = $1 and a.recorded_to is null and b.recorded_to is null
           union all
           select a.id from blocks a join blocks b on a.person_id = b.person_id and a.owner = b.owner and coalesce(a.connection_id, 0) = coalesce(b.connection_id, 0) and a.id < b.id and a.valid && b.valid
           where a.person_id = $1 and a.recorded_to is null and b.recorded_to is null`,
          [personId],
        );
        expect(overlaps).toEqual([]);
        const lastOf = new Map(stateAt.map(([at, state]) => [at.getTime(), state]));
        for (const [at, expected] of lastOf) {
          const { rows } = await db.pool.query(
            "select state from lifecycle_periods where person_id = $1 and valid @> $2::timestamptz and recorded_to is null",
            [personId, new Date(at)],
          );
          expect(rows).toEqual([{ state: expected }]);
          const { rows: believed } = await db.pool.query(
            "select state from lifecycle_periods where person_id = $1 and valid @> $2::timestamptz and recorded @> $2::timestamptz",
            [personId, new Date(at)],
          );
          expect(believed).toEqual([{ state: expected }]);
        }
      }),
      { numRuns: 40 },
    );
  });
});
