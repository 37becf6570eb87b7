import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { checkAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { createRole } from "../../src/access/roles.ts";
import { setPersonExpiry } from "../../src/directory/person-expiry.ts";
import { createUnit } from "../../src/directory/units.ts";
import type { World } from "../provision/world.ts";
import { fourTimes } from "./four-times.ts";
import type { Upstream } from "./upstream.ts";

const HOUR = 3_600_000;
/** A directory, a database and an application work on a machine that may be busy. */
const BUSY_MS = 300_000;
const PERMISSION = "test.door.open";

/** What somebody has here; all zero for who is out. */
interface Presence {
  state: string;
  sessions: number;
  tokens: number;
  /** Open ones, made to them. */
  grants: number;
  access: boolean;
  downstream: unknown;
}

const OUT = { sessions: 0, tokens: 0, access: false, downstream: false };

const PRESENCE = `
  select state, user_name as "userName",
    (select count(*)::int from sessions where person_id = $1 and ended_at is null) as sessions,
    (select count(*)::int from tokens where person_id = $1 and revoked_at is null) as tokens,
    (select count(*)::int from grants where person_id = $1 and recorded_to is null and valid_to is null) as grants
  from people where id = $1`;

// Everything that a decision about a person leaves behind.
const TRACES = `
  select (select jsonb_agg(p order by id) from people p where p.id = any($1)) as people,
    (select jsonb_agg(b order by id) from blocks b where person_id = any($1)) as blocks,
    (select jsonb_agg(l order by id) from lifecycle_periods l where person_id = any($1)) as lifecycle,
    (select jsonb_agg(g order by id) from grants g where person_id = any($1)) as grants,
    (select jsonb_agg(jsonb_build_array(e.name, e.data, e.sealed is not null) order by id) from audit_events e where subject_id = any($1::uuid[]::text[])) as events,
    (select count(*) from deliveries d join projections p on p.id = d.projection_id where p.person_id = any($1)) as deliveries`;

/** What is asked of people in a world, for the tests of every kind of directory. */
function inquiries(world: World) {
  const only = <T>(rows: readonly T[], what: string): T => {
    const [row] = rows;
    if (row === undefined) throw new Error(`there is no ${what}`);
    return row;
  };
  return {
    personOf: async (nativeId: string) =>
      only(
        (
          await world.db.pool.query<{ id: string }>("select person_id as id from accounts where native_id = $1 and kind = 'user'", [
            nativeId,
          ])
        ).rows,
        `account ${nativeId}`,
      ).id,
    /** Signed in, with a token of their own and a grant of their own. */
    settleIn: (personId: string) =>
      world
        .work(async (work) => {
          const now = world.clock.now();
          await work.sql.query(
            "insert into sessions (id, person_id, hash, created_at, last_seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)",
            [randomUUID(), personId, randomUUID(), now, new Date(now.getTime() + 100 * HOUR)],
          );
          await work.sql.query(
            "insert into tokens (id, name, prefix, hash, scope, person_id, created_at) values ($1, 'own', 'own', $2, 'api', $3, $4)",
            [randomUUID(), randomUUID(), personId, now],
          );
          await giveGrant(work, { personId, role: "doors", unit: "lobby", reason: "works here" });
        })
        .then(() => world.drain()),
    presence: async (personId: string): Promise<Presence> => {
      const { rows } = await world.db.pool.query<Omit<Presence, "access" | "downstream"> & { userName: string }>(PRESENCE, [personId]);
      const { userName, ...row } = only(rows, `person ${personId}`);
      const { rows: units } = await world.db.pool.query<{ id: string }>("select id from units where code = 'lobby'");
      const question = { personId, permission: PERMISSION, unitId: only(units, "lobby").id, at: world.clock.now() };
      return { ...row, access: await checkAccess(world.db.pool, question), downstream: world.user(userName)?.active };
    },
    traces: async (...people: readonly string[]) => (await world.db.pool.query(TRACES, [people])).rows[0],
  };
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

/**
 * What must be so with every kind of directory: who is disabled there is out everywhere, and who is expired here is disabled there,
 * which the next runs don't take for the directory's own decision. Each direction prints its four times.
 */
export function bothWays(kind: string, open: () => Promise<Upstream>): () => Upstream {
  let upstream: Upstream;
  let ask: ReturnType<typeof inquiries>;

  beforeAll(async () => {
    upstream = await open();
    const { world } = upstream;
    ask = inquiries(world);
    await world.db.pool.query("insert into permissions (key, module, resource, action) values ($1, 'test', 'door', 'open')", [PERMISSION]);
    await world.work((work) => createRole(work, { key: "doors", name: "Doors", permissions: [PERMISSION] }));
    await world.work((work) => createUnit(work, { name: "Lobby", code: "lobby" }));
    await upstream.hire("first");
    await upstream.sync("full");
  }, BUSY_MS);
  afterAll(() => upstream?.stop());

  test(
    `M4: disabled in ${kind}: sessions and tokens end, grants are closed, the application's account is deactivated; enabled there, in again`,
    async () => {
      const { world, sync } = upstream;
      const nativeId = await upstream.hire("cyd");
      await sync();
      const personId = await ask.personOf(nativeId);
      await ask.settleIn(personId);
      expect(await ask.presence(personId)).toEqual({ state: "active", sessions: 1, tokens: 1, grants: 1, access: true, downstream: true });

      const changedAt = world.clock.now();
      await upstream.disable(nativeId);
      await sync();
      expect(await ask.presence(personId)).toEqual({ ...OUT, state: "deactivated", grants: 0 });
      const { line, times } = await fourTimes(world, { what: `${kind}, disabled there`, target: "app", personId, changedAt });
      say(line);
      expect(times).toEqual([...times].sort((left, right) => left.getTime() - right.getTime()));

      await upstream.enable(nativeId);
      await sync();
      expect(await ask.presence(personId)).toEqual({ ...OUT, state: "active", grants: 0, downstream: true });
    },
    BUSY_MS,
  );

  test(
    `A5, M4: expired here, disabled in ${kind}; the next runs change nothing; renewed here, enabled there; and only what was ours`,
    async () => {
      const { world, sync, connection } = upstream;
      const [ours, theirs] = [await upstream.hire("dee"), await upstream.hire("eve")];
      await upstream.disable(theirs);
      await sync();
      const [dee, eve] = [await ask.personOf(ours), await ask.personOf(theirs)];
      await ask.settleIn(dee);
      const until = new Date(world.clock.now().getTime() + HOUR);
      for (const personId of [dee, eve])
        await world.work((work) => setPersonExpiry(work, { personId, until, reason: "end of the contract" }));
      await world.work(carryOutExpiry);
      await world.drain();
      expect(await upstream.isEnabled(ours)).toBe(true);

      world.clock.pass(HOUR);
      await world.work(carryOutExpiry);
      await world.drain();
      expect(await ask.presence(dee)).toEqual({ ...OUT, state: "suspended", grants: 1 });
      expect(await upstream.isEnabled(ours)).toBe(false);
      const { line, times } = await fourTimes(world, {
        what: `${kind}, expired here`,
        target: connection,
        personId: dee,
        changedAt: until,
      });
      say(line);
      expect(times[0]).toEqual(until);
      expect(times).toEqual([...times].sort((left, right) => left.getTime() - right.getTime()));

      const before = await ask.traces(dee, eve);
      await sync();
      await sync("full");
      await world.work(carryOutExpiry);
      await sync();
      expect(await ask.traces(dee, eve)).toEqual(before);

      for (const personId of [dee, eve]) await world.work((work) => setPersonExpiry(work, { personId, until: null, reason: "stays on" }));
      await world.drain();
      expect([await upstream.isEnabled(ours), await upstream.isEnabled(theirs)]).toEqual([true, false]);
      expect(await ask.presence(dee)).toMatchObject({ state: "active", access: true, downstream: true });
      await sync();
      await sync("full");
      expect(await ask.presence(dee)).toMatchObject({ state: "active", access: true, downstream: true });
      expect(await ask.presence(eve)).toMatchObject({ state: "deactivated", access: false });
    },
    BUSY_MS,
  );

  return () => upstream;
}
