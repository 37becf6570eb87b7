import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { accessSql, checkAccess } from "../../../src/access/effective.ts";
import { giveGrant, revokeGrant } from "../../../src/access/grants.ts";
import type { Caller } from "../../../src/access/policy.ts";
import { createRole } from "../../../src/access/roles.ts";
import { answerAll, foldedNames, type Answer, type Question } from "../../../src/access/snapshot/answer.ts";
import { heldBy } from "../../../src/access/snapshot/held.ts";
import { createAccessSnapshot, type AccessSnapshot } from "../../../src/access/snapshot/snapshot.ts";
import { inTransaction, type Work } from "../../../src/db/database.ts";
import { closePeriods } from "../../../src/directory/periods.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { DAY_ONE, insertGroup, insertMembership, insertNesting, insertPerson, standingClock } from "../../directory/fixtures.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { cuttable } from "./cuttable.ts";
import { patient } from "./patient.ts";

let db: TestDatabase;
const clock = standingClock();
const inWork = <T>(flow: (work: Work) => Promise<T>) => inTransaction(db, testContext({ now: clock.now }), flow);
let ended = new AbortController();
const followImpatiently = (url = db.url): AccessSnapshot =>
  createAccessSnapshot({ db: { url, closing: ended.signal }, log: silentLog, now: clock.now });
const follow = (): AccessSnapshot => patient(followImpatiently());
beforeAll(async () => {
  db = await testDatabase();
});
afterEach(() => {
  ended.abort();
  ended = new AbortController();
});
afterAll(() => db.drop());

/** Comes back as soon as `done` says so. */
async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const allowed = (answer: Answer | undefined) => answer !== undefined && "allowed" in answer && answer.allowed;

/** One person, one role on one unit, and whether the snapshot says that it is held. */
async function lonePerson(): Promise<{ personId: string; unitId: string; role: string; question: Question }> {
  return inWork(async (work) => {
    const personId = await insertPerson(work.sql, { at: clock.now() });
    const unitId = await createUnit(work, { name: "Unit" });
    const role = `r-${personId}`;
    await work.sql.query(
      "insert into permissions (key, module, resource, action) values ('test.lone.see', 'test', 'lone', 'see') on conflict do nothing",
    );
    await createRole(work, { key: role, name: role, permissions: ["test.lone.see"] });
    return { personId, unitId, role, question: { person: personId, permission: "test.lone.see", unit: unitId } };
  });
}
const give = (lone: { personId: string; unitId: string; role: string }) =>
  inWork((work) => giveGrant(work, { personId: lone.personId, role: lone.role, unit: lone.unitId }));
const says = async (view: ReturnType<AccessSnapshot["ready"]>, question: Question) =>
  allowed(answerAll(await view, [question], { at: clock.now(), within: null })[0]);

describe("A6: a change is known within a second, or nothing is answered", () => {
  test("when the connection that listens is killed", async () => {
    clock.set(DAY_ONE);
    const lone = await lonePerson();
    const snapshot = follow();
    expect(await says(snapshot.current(), lone.question)).toBe(false);
    const { readAnew } = snapshot.status();
    for (let round = 0; round < 3; round += 1) {
      const { rowCount } = await db.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'rollcall:%:access'",
      );
      expect(rowCount).toBeGreaterThan(0);
      const grantId = await give(lone);
      await until(() => says(snapshot.ready(), lone.question));
      await inWork((work) => revokeGrant(work, { grantId, reason: "test" }));
      await until(async () => !(await says(snapshot.ready(), lone.question)));
      clock.forward(1000);
    }
    expect(snapshot.status().readAnew).toBe(readAnew);
  });

  test("when no notification comes", async () => {
    const lone = await lonePerson();
    const snapshot = follow();
    await snapshot.current();
    const { rows } = await db.pool.query<{ text: string }>("select pg_get_functiondef('note_access_change'::regproc) as text");
    const text = rows[0]?.text ?? "";
    expect(text).toContain("pg_notify(");
    await db.pool.query(text.replace("perform pg_notify(", "perform concat("));
    try {
      await give(lone);
      await until(() => says(snapshot.ready(), lone.question));
    } finally {
      await db.pool.query(text);
    }
  });

  test.each(["cut", "silence"] as const)(
    "and when the way to the database is lost (%s), nothing is answered until it is there again",
    async (how) => {
      const lone = await lonePerson();
      const way = await cuttable(db.url);
      try {
        const snapshot = followImpatiently(way.url);
        expect(await says(patient(snapshot).current(), lone.question)).toBe(false);
        way[how]();
        await give(lone);
        await until(async () => snapshot.status().state === "stale");
        await expect(snapshot.ready()).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
        way.mend();
        await until(async () => snapshot.status().state === "ready");
        expect(await says(patient(snapshot).ready(), lone.question)).toBe(true);
      } finally {
        await way.close();
      }
    },
  );

  test("and when its own way falls silent in the middle of a reading, it takes another", async () => {
    const lone = await lonePerson();
    const way = await cuttable(db.url);
    try {
      const snapshot = createAccessSnapshot({
        db: { url: way.url, closing: ended.signal },
        log: silentLog,
        now: clock.now,
        readWithinMs: 3000,
      });
      expect(await says(patient(snapshot).current(), lone.question)).toBe(false);
      way.silenceAt("begin isolation level repeatable read");
      await give(lone);
      await until(async () => snapshot.status().state === "stale");
      await until(async () => snapshot.status().state === "ready");
      expect(await says(patient(snapshot).ready(), lone.question)).toBe(true);
    } finally {
      await way.close();
    }
  });

  test("in whatever order transactions commit", async () => {
    const [early, late] = [await lonePerson(), await lonePerson()];
    const snapshot = follow();
    await snapshot.current();
    const opened = await db.pool.connect();
    try {
      await opened.query("begin");
      await giveGrant(
        { ctx: testContext({ now: clock.now }), sql: opened },
        { personId: early.personId, role: early.role, unit: early.unitId },
      );
      await give(late);
      expect(await says(snapshot.current(), late.question)).toBe(true);
      expect(await says(snapshot.current(), early.question)).toBe(false);
      await opened.query("commit");
      expect(await says(snapshot.current(), early.question)).toBe(true);
    } finally {
      opened.release();
    }
  });

  test("when changes were pruned before they were read", async () => {
    const lone = await lonePerson();
    const snapshot = follow();
    await snapshot.current();
    const { readAnew } = snapshot.status();
    await inWork(async (work) => {
      await giveGrant(work, { personId: lone.personId, role: lone.role, unit: lone.unitId });
      await work.sql.query(
        "with gone as (delete from access_changes) update access_change_fence set pruned = (pg_current_xact_id()::text::bigint + 1)::text::xid8",
      );
    });
    await until(() => says(snapshot.ready(), lone.question));
    expect(snapshot.status().readAnew).toBeGreaterThan(readAnew);
  });
});

test("a change in any table that effective access is asked of is told", async () => {
  const tables = new Set(
    [...accessSql({ onUnit: true, asKnown: false }).matchAll(/\b(?:from|join) (\w+)/g)].map(([, table = ""]) => table),
  );
  const { rows } = await db.pool.query<{ table: string; told: string[] }>(
    `select relname as table, array(select distinct event from pg_trigger t
       cross join lateral unnest(case when tgtype & 4 > 0 then array['insert'] else '{}' end || case when tgtype & 8 > 0 then array['delete'] else '{}' end
         || case when tgtype & 16 > 0 then array['update'] else '{}' end) event
       where t.tgrelid = c.oid and t.tgfoid in (select oid from pg_proc where proname like 'note_access_of_%') order by event) as told
     from pg_class c where relkind = 'r' and relnamespace = 'public'::regnamespace and relname = any($1) order by relname`,
    [[...tables]],
  );
  expect(rows.length).toBeGreaterThan(9);
  for (const { table, told } of rows) expect([table, told]).toEqual([table, ["delete", "insert", "update"]]);
});

test("a transaction that writes of the same people twice, one write after the other, tells of them once", async () => {
  const noted = await inWork(async (work) => {
    const people = [await insertPerson(work.sql, { at: clock.now() }), await insertPerson(work.sql, { at: clock.now() })];
    const groupId = await insertGroup(work.sql, { at: clock.now() });
    for (const personId of people) await insertMembership(work.sql, { groupId, personId, from: DAY_ONE });
    const { rows } = await work.sql.query<{ id: number }>("select id from memberships where group_id = $1", [groupId]);
    const notes = async () =>
      (
        await work.sql.query<{ ids: string[] }>(
          "select ids from access_changes where xid = pg_current_xact_id() and kind = 'person' order by id",
        )
      ).rows.map(({ ids }) => ids);
    const before = (await notes()).length;
    const at = new Date(clock.now().getTime() + 1000);
    await closePeriods(work.sql, { table: "memberships", ids: rows.map(({ id }) => id), at });
    return { people, told: (await notes()).slice(before) };
  });
  expect(noted.told).toEqual([noted.people.toSorted()]);
});

test("changes are pruned as others are written, and nothing is missed meanwhile", async () => {
  const lone = await lonePerson();
  const snapshot = follow();
  await snapshot.current();
  // As if taken when all of them were done. Now it would stand before the oldest transaction that is open in any database of the cluster.
  await db.pool.query(
    `update access_change_fence set taken_at = clock_timestamp() - interval '11 minutes', pruned = '0',
       taken = (select (xid::text::bigint + 1)::text::xid8 from access_changes order by xid desc limit 1)`,
  );
  const { rows: before } = await db.pool.query<{ count: number }>(
    "select count(*) from access_changes where xid < (select taken from access_change_fence)",
  );
  expect(before[0]?.count).toBeGreaterThan(0);
  await give(lone);
  for (let round = 0; round < 64; round += 1) await db.pool.query("select note_access_change('roles', '{}')");
  const { rows: after } = await db.pool.query<{ left: number; pruned: string }>(
    "select (select count(*) from access_changes where xid < pruned) as left, pruned::text from access_change_fence",
  );
  expect(after[0]?.left).toBe(0);
  expect(after[0]?.pruned).not.toBe("0");
  expect(await says(snapshot.current(), lone.question)).toBe(true);
});

describe("who and where", () => {
  const permission = "test.lone.see";

  test("people are named by id or user name, units by id or code, whatever the case", async () => {
    const lone = await lonePerson();
    await give(lone);
    await db.pool.query("update people set user_name = 'ÉMILE.zola@example.com' where id = $1", [lone.personId]);
    await db.pool.query("update units set code = 'Straße-Ä' where id = $1", [lone.unitId]);
    const view = await follow().current();
    const ask = async (person: string, unit: string) => {
      const questions = [{ person, permission, unit }];
      const folded = await foldedNames(db.pool, questions);
      return answerAll(view, questions, { at: clock.now(), within: null, folded })[0];
    };
    const yes = { allowed: true, until: null };
    expect(await ask(lone.personId.toUpperCase(), lone.unitId.toUpperCase())).toEqual(yes);
    expect(await ask("ÉMILE.Zola@example.com", "straße-Ä")).toEqual(yes);
    expect(await ask("nobody", lone.unitId)).toEqual({ error: "unknown_person" });
    expect(await ask(lone.personId, "nowhere")).toEqual({ error: "unknown_unit" });
    expect(await ask(lone.personId, lone.personId)).toEqual({ error: "unknown_unit" });
  });

  test("names that change hands in one transaction end with their new holders", async () => {
    const [first, second] = [await lonePerson(), await lonePerson()];
    await give(first);
    const snapshot = follow();
    await snapshot.current();
    await inWork(async ({ sql }) => {
      await sql.query("update people set user_name = 'x-' || user_name where id = $1", [first.personId]);
      await sql.query("update people set user_name = 'tom' where id = $1", [second.personId]);
      await sql.query("update people set user_name = 'ann' where id = $1", [first.personId]);
    });
    expect(await says(snapshot.current(), { ...first.question, person: "ann" })).toBe(true);
    expect(await says(snapshot.current(), { ...first.question, person: "tom" })).toBe(false);
    await inWork(async ({ sql }) => {
      await sql.query("update people set user_name = 'x' where id = $1", [first.personId]);
      await sql.query("update people set user_name = 'ann' where id = $1", [second.personId]);
      await sql.query("update people set user_name = 'tom' where id = $1", [first.personId]);
    });
    expect(await says(snapshot.current(), { ...first.question, person: "tom" })).toBe(true);
    expect(await says(snapshot.current(), { ...first.question, person: "ann" })).toBe(false);
    await db.pool.query("update people set state = 'deleted', deleted_at = $2 where id = $1", [second.personId, clock.now()]);
    const view = await snapshot.current();
    expect(answerAll(view, [{ ...first.question, person: "ann" }], { at: clock.now(), within: null })).toEqual([
      { error: "unknown_person" },
    ]);
  });

  test("an id of a role is no permission, and what no role holds is not allowed", async () => {
    const lone = await lonePerson();
    await give(lone);
    const { rows } = await db.pool.query<{ id: string }>("select id from roles where key = $1", [lone.role]);
    const view = await follow().current();
    for (const each of [rows[0]?.id ?? "", "test.lone.unheard"])
      expect(answerAll(view, [{ ...lone.question, permission: each }], { at: clock.now(), within: null })).toEqual([{ allowed: false }]);
  });

  test("who is narrowed to units asks about these and what is below, and learns of nobody else", async () => {
    const lone = await lonePerson();
    await give(lone);
    const below = await inWork((work) => createUnit(work, { name: "Below", parentId: lone.unitId }));
    const beside = await inWork((work) => createUnit(work, { name: "Beside" }));
    const view = await follow().current();
    const ask = (question: Partial<Question>, unitIds: string[]) => {
      const caller: Caller = { actor: "token:test", credential: "token:test", personId: null, permissions: null, unitIds };
      const { on } = heldBy(view, { caller, permission: "rollcall.access.check", at: clock.now() });
      return answerAll(view, [{ ...lone.question, ...question }], { at: clock.now(), within: on })[0];
    };
    expect(ask({ unit: below }, [lone.unitId])).toEqual({ allowed: true, until: null });
    expect(ask({ unit: lone.unitId }, [below])).toEqual({ error: "forbidden" });
    expect(ask({ unit: beside }, [lone.unitId])).toEqual({ error: "forbidden" });
    expect(ask({ unit: "nowhere" }, [lone.unitId])).toEqual({ error: "forbidden" });
    expect(ask({ person: "nobody" }, [lone.unitId])).toEqual({ allowed: false });
    expect(ask({}, [])).toEqual({ error: "forbidden" });
  });
});

test("A5: a group that is deleted, and one that is nested in a deleted one, give what the database says", async () => {
  const lone = await lonePerson();
  const [inner, outer] = await inWork(async (work) => {
    const ids: [string, string] = [await insertGroup(work.sql), await insertGroup(work.sql)];
    await insertMembership(work.sql, { groupId: ids[0], personId: lone.personId, from: clock.now() });
    await insertNesting(work.sql, { parentId: ids[1], childId: ids[0], from: clock.now() });
    return ids;
  });
  await inWork((work) => giveGrant(work, { groupId: outer, role: lone.role, unit: lone.unitId, expiresAfterSeconds: 3600 }));
  const snapshot = follow();
  const same = async () => {
    const expected = await checkAccess(db.pool, {
      personId: lone.personId,
      permission: "test.lone.see",
      unitId: lone.unitId,
      at: clock.now(),
    });
    expect(await says(snapshot.current(), lone.question)).toBe(expected);
    return expected;
  };
  expect(await same()).toBe(true);
  await db.pool.query("update groups set deleted_at = $2 where id = $1", [inner, clock.now()]);
  expect(await same()).toBe(true);
  await db.pool.query("update groups set deleted_at = $2 where id = $1", [outer, clock.now()]);
  expect(await same()).toBe(false);
  await db.pool.query("update groups set deleted_at = null where id = $1", [outer]);
  expect(await same()).toBe(true);
  clock.forward(3_599_999);
  expect(await same()).toBe(true);
  clock.forward(1);
  expect(await same()).toBe(false);
});
