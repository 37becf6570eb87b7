import { randomBytes, randomUUID } from "node:crypto";
import { Logger, runOnce } from "graphile-worker";
import type { WriteBack } from "../../connectors/contract.ts";
import { startDownstream, type Downstream } from "../../demo/downstream.ts";
import { addConnection } from "../../src/connections/store.ts";
import type { Context } from "../../src/context.ts";
import { inTransaction, type Work } from "../../src/db/database.ts";
import { sealingKey, type KeyRing } from "../../src/db/envelope.ts";
import { markGroups, markPeople } from "../../src/directory/outbox.ts";
import { deliver } from "../../src/provision/deliver.ts";
import { projectTarget } from "../../src/provision/project.ts";
import { createPace } from "../../src/provision/pace.ts";
import { openTargets, type Targets } from "../../src/provision/targets.ts";
import { silentLog, testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

export interface Clock {
  now: () => Date;
  /** Moves on by so many milliseconds. */
  pass(milliseconds: number): void;
}

/** A directory of plain rows, a downstream application, and the two jobs that keep it in step, worked off by hand. */
export interface World {
  db: TestDatabase;
  downstream: Downstream;
  keyRing: KeyRing;
  clock: Clock;
  ctx: Context;
  targets: Targets;
  connectionId: number;
  work<T>(run: (work: Work) => Promise<T>): Promise<T>;
  addPeople(names: readonly string[], options?: { active?: boolean; department?: string }): Promise<string[]>;
  /** Sets what a person is, and marks it as the flows do. */
  setPerson(id: string, values: { active?: boolean; state?: string; attributes?: Record<string, unknown> }): Promise<void>;
  addGroup(name: string, members: readonly string[]): Promise<string>;
  join(groupId: string, personIds: readonly string[]): Promise<void>;
  leave(groupId: string, personIds: readonly string[]): Promise<void>;
  /** Works off every job that is due; with `hurry` those that wait for a later try as well. */
  drain(options?: { hurry?: boolean }): Promise<void>;
  projections(): Promise<Record<string, ProjectionView>>;
  user(userName: string): { id: string; active: unknown; [attribute: string]: unknown } | undefined;
  stop(): Promise<void>;
}

export interface ProjectionView {
  id: number;
  state: string;
  desired_state: string;
  delivered_state: string | null;
  native_id: string | null;
  attempts: number;
  last_error: string | null;
}

export interface WorldOptions {
  policy?: Record<string, unknown>;
  settings?: Record<string, unknown>;
  name?: string;
  /** Stands in for the source's side that is written back to. */
  writeBack?: WriteBack;
}

export function testKeyRing(): KeyRing {
  return { current: sealingKey(randomBytes(32)), older: [] };
}

export async function startWorld({ policy = {}, settings = {}, name = "app", writeBack }: WorldOptions = {}): Promise<World> {
  const db = await testDatabase();
  const downstream = await startDownstream();
  const keyRing = testKeyRing();
  let offset = 0;
  const clock: Clock = { now: () => new Date(Date.now() + offset), pass: (milliseconds) => void (offset += milliseconds) };
  const ctx = testContext({ now: clock.now });
  // A machine that stands still for a while in the middle of a test makes no target slow.
  const pace = createPace({ slowAtOnce: 2, slowMs: 3_600_000, elapsed: () => clock.now().getTime() });
  const opened = openTargets({ keyRing, log: silentLog, signal: ctx.signal, now: clock.now, network: ctx.network, pace });
  const targets: Targets = writeBack ? { ...opened, withWriteBack: (_connection, use) => use(writeBack) } : opened;
  const work = <T>(run: (work: Work) => Promise<T>) => inTransaction(db, ctx, run);
  const { id: connectionId } = await work((each) =>
    addConnection(each, {
      keyRing,
      definition: {
        name,
        connector: "scim",
        settings: { url: downstream.url, token: downstream.token, ...settings },
        policy: { provision: policy },
      },
    }),
  );

  async function drain({ hurry = false } = {}): Promise<void> {
    for (;;) {
      if (hurry)
        await db.pool.query("update graphile_worker._private_jobs set run_at = now() where run_at > now() and key not like 'remove:%'");
      await runOnce({
        pgPool: db.pool,
        noHandleSignals: true,
        concurrency: 3,
        parsedCronItems: [],
        logger: quietLogger,
        taskList: {
          project: async (payload) => {
            const connection = await targets.load(db.pool, (payload as { connectionId: number }).connectionId);
            await projectTarget(ctx, { db, connection });
          },
          deliver: async (payload) =>
            void (await deliver(ctx, { db, targets, projectionId: (payload as { projectionId: number }).projectionId })),
        },
      });
      if (!hurry) return;
      const { rows } = await db.pool.query("select from graphile_worker._private_jobs where key not like 'remove:%' limit 1");
      if (rows.length === 0) return;
    }
  }

  const world: World = {
    db,
    downstream,
    keyRing,
    clock,
    ctx,
    targets,
    connectionId,
    work,
    drain,
    async addPeople(names, { active = true, department } = {}) {
      const people = names.map((userName) => ({
        id: randomUUID(),
        userName,
        attributes: {
          userName,
          displayName: userName.toUpperCase(),
          name: { givenName: userName, familyName: "Test" },
          emails: [{ value: `${userName}@example.com`, type: "work", primary: true }],
          ...(department ? { "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { department } } : {}),
        },
      }));
      await work(async (each) => {
        await each.sql.query(
          `insert into people (id, user_name, email, active, state, attributes, created_at, modified_at)
           select p.id, p.user_name, p.attributes -> 'emails' -> 0 ->> 'value', $4, case when $4 then 'active' else 'deactivated' end, p.attributes, $5, $5
           from unnest($1::uuid[], $2::text[], $3::jsonb[]) as p (id, user_name, attributes)`,
          [
            people.map(({ id }) => id),
            people.map(({ userName }) => userName),
            people.map(({ attributes }) => JSON.stringify(attributes)),
            active,
            clock.now(),
          ],
        );
        await markPeople(each, { personIds: people.map(({ id }) => id), seenAt: clock.now() });
      });
      return people.map(({ id }) => id);
    },
    async setPerson(id, { active, state, attributes }) {
      await work(async (each) => {
        await each.sql.query(
          `update people set active = coalesce($2, active), state = coalesce($3, case when $2 then 'active' when not $2 then 'deactivated' end, state),
             attributes = attributes || coalesce($4::jsonb, '{}'), version = version + 1, modified_at = $5 where id = $1`,
          [id, active ?? null, state ?? null, attributes ? JSON.stringify(attributes) : null, clock.now()],
        );
        await markPeople(each, { personIds: [id], sourceChangedAt: clock.now(), seenAt: clock.now() });
      });
    },
    async addGroup(groupName, members) {
      const id = randomUUID();
      await work(async (each) => {
        await each.sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, $2, $3, $3)", [
          id,
          groupName,
          clock.now(),
        ]);
      });
      await world.join(id, members);
      return id;
    },
    async join(groupId, personIds) {
      await work(async (each) => {
        await each.sql.query(
          "insert into memberships (group_id, person_id, valid_from, recorded_from) select $1, id, $3, $3 from unnest($2::uuid[]) as id",
          [groupId, personIds, clock.now()],
        );
        await markGroups(each, { groupIds: [groupId] });
        await markPeople(each, { personIds });
      });
    },
    async leave(groupId, personIds) {
      await work(async (each) => {
        await each.sql.query(
          "update memberships set recorded_to = $3 where group_id = $1 and person_id = any($2) and recorded_to is null",
          [groupId, personIds, clock.now()],
        );
        await markGroups(each, { groupIds: [groupId] });
        await markPeople(each, { personIds });
      });
    },
    async projections() {
      const { rows } = await db.pool.query<ProjectionView & { name: string }>(
        `select coalesce(p.user_name, g.display_name)::text as name, pr.id, pr.state, pr.desired_state, pr.delivered_state, pr.native_id, pr.attempts, pr.last_error
         from projections pr left join people p on p.id = pr.person_id left join groups g on g.id = pr.group_id order by pr.id`,
      );
      return Object.fromEntries(rows.map(({ name: subject, ...view }) => [subject, view]));
    },
    user: (userName) =>
      downstream.users().find((user) => String(user["userName"]).toLowerCase() === userName.toLowerCase()) as ReturnType<World["user"]>,
    async stop() {
      await targets.close();
      await downstream.stop();
      await db.drop();
    },
  };
  return world;
}

const quietLogger = new Logger(() => () => undefined);
