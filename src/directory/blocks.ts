import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { settleLifecycle, type LiftedByHand } from "./lifecycle.ts";
import { markPeople, type DecisionTimes } from "./outbox.ts";
import { closePeriods } from "./periods.ts";

export type BlockOwner = "origin" | "employment" | "admin" | "expiry" | "incident" | "offboarding";
export type BlockEffect = "suspended" | "deactivated";

/** Names one block reason of a person; an origin's is told apart by its connection. */
export interface BlockKey extends DecisionTimes {
  personId: string;
  owner: BlockOwner;
  connectionId?: number | null;
}

export interface Block extends BlockKey {
  effect: BlockEffect;
  reason: string;
}

const LOCK_PEOPLE = "select from people where id = any($1::uuid[]) order by id for update";

// What stands already with the same effect is left alone; with another effect it is superseded.
const FIND_RAISED = `
  with wanted as (
    select distinct on (w.person_id, w.owner, coalesce(w.connection_id, 0)) w.*
    from jsonb_to_recordset($1::jsonb) as w (person_id uuid, owner text, connection_id int, effect text, reason text, source_changed_at timestamptz)
    join people on people.id = w.person_id and people.state <> 'deleted'
    order by w.person_id, w.owner, coalesce(w.connection_id, 0), (w.effect = 'deactivated') desc
  )
  select wanted.*, standing.id as standing_id, connections.name as connection,
    greatest(standing.valid_from, (select max(b.valid_to) from blocks b where b.person_id = wanted.person_id and b.owner = wanted.owner
      and coalesce(b.connection_id, 0) = coalesce(wanted.connection_id, 0) and b.recorded_to is null)) as not_before
  from wanted
  left join blocks standing on standing.person_id = wanted.person_id and standing.owner = wanted.owner
    and coalesce(standing.connection_id, 0) = coalesce(wanted.connection_id, 0) and standing.recorded_to is null and standing.valid_to is null
  left join connections on connections.id = wanted.connection_id
  where standing.effect is distinct from wanted.effect`;

// Clocks of two nodes may differ, and one may be set back: no block begins before the one before it ended.
const INSERT_BLOCKS = `
  insert into blocks (person_id, owner, connection_id, effect, reason, source_changed_at, valid_from, recorded_from)
  select person_id, owner, connection_id, effect, reason, source_changed_at, greatest($2, not_before), greatest($2, not_before)
  from jsonb_to_recordset($1::jsonb) as b (person_id uuid, owner text, connection_id int, effect text, reason text, source_changed_at timestamptz, not_before timestamptz)`;

const FIND_LIFTED = `
  select distinct on (b.id) b.id, b.person_id, b.owner, connections.name as connection
  from jsonb_to_recordset($1::jsonb) as w (person_id uuid, owner text, connection_id int)
  join blocks b on b.person_id = w.person_id and b.owner = w.owner and coalesce(b.connection_id, 0) = coalesce(w.connection_id, 0)
    and b.recorded_to is null and b.valid_to is null
  left join connections on connections.id = b.connection_id`;

interface RaisedRow {
  person_id: string;
  owner: string;
  effect: string;
  reason: string;
  standing_id: number | null;
  connection: string | null;
}

/**
 * Raises block reasons and settles the lifecycle of those concerned, in the caller's transaction. What stands already is left
 * alone, so that it may be repeated. People that are unknown or deleted are passed over. Returns the ids of people whose state changed.
 */
export async function raiseBlocks(work: Work, blocks: readonly Block[]): Promise<string[]> {
  if (blocks.length === 0) return [];
  const { ctx, sql } = work;
  await sql.query(LOCK_PEOPLE, [blocks.map((block) => block.personId)]);
  const wanted = blocks.map(({ personId, owner, connectionId, effect, reason, sourceChangedAt }) => ({
    person_id: personId,
    owner,
    connection_id: connectionId ?? null,
    effect,
    reason,
    source_changed_at: sourceChangedAt ?? null,
  }));
  const { rows } = await sql.query<RaisedRow>(FIND_RAISED, [JSON.stringify(wanted)]);
  if (rows.length === 0) return [];
  await closePeriods(sql, { table: "blocks", ids: rows.flatMap((row) => row.standing_id ?? []), at: ctx.now() });
  await sql.query(INSERT_BLOCKS, [JSON.stringify(rows), ctx.now()]);
  const settled = await settle(work, { rows, times: blocks });
  const others = rows.filter((row) => !settled.has(row.person_id));
  await recordEvents(
    work,
    others.map((row) => ({
      name: "block.raised" as const,
      subjectType: "person",
      subjectId: row.person_id,
      reason: row.reason,
      data: { owner: row.owner, effect: row.effect, connection: row.connection ?? undefined },
    })),
  );
  return [...settled];
}

export interface Lift extends BlockKey {
  /** Why, of whoever lifts it by hand. */
  reason?: string;
}

/**
 * Lifts block reasons and settles the lifecycle: who has none left is active again (P5). Grants that were closed at leaving
 * stay closed; those that a rule makes come back when the rules are evaluated. Returns the ids of people whose state changed.
 */
export async function liftBlocks(work: Work, blocks: readonly Lift[]): Promise<string[]> {
  if (blocks.length === 0) return [];
  const { ctx, sql } = work;
  await sql.query(LOCK_PEOPLE, [blocks.map((block) => block.personId)]);
  const wanted = blocks.map(({ personId, owner, connectionId }) => ({ person_id: personId, owner, connection_id: connectionId ?? null }));
  const { rows } = await sql.query<{ id: number; person_id: string; owner: string; connection: string | null }>(FIND_LIFTED, [
    JSON.stringify(wanted),
  ]);
  if (rows.length === 0) return [];
  await closePeriods(sql, { table: "blocks", ids: rows.map((row) => row.id), at: ctx.now() });
  const lifted = new Map(
    blocks.flatMap(({ personId, owner, reason }) => (reason === undefined ? [] : [[personId, { personId, owner, reason }] as const])),
  );
  const settled = await settle(work, { rows, times: blocks, lifted });
  const others = rows.filter((row) => !settled.has(row.person_id));
  await recordEvents(
    work,
    others.map((row) => ({
      name: "block.lifted" as const,
      subjectType: "person",
      subjectId: row.person_id,
      reason: lifted.get(row.person_id)?.reason,
      data: { owner: row.owner, connection: row.connection ?? undefined },
    })),
  );
  return [...settled];
}

/** Settles, and marks those too whose state stayed: who owns a block decides what is written back. */
async function settle(
  work: Work,
  {
    rows,
    times,
    lifted,
  }: { rows: readonly { person_id: string }[]; times: readonly BlockKey[]; lifted?: ReadonlyMap<string, LiftedByHand> },
): Promise<Set<string>> {
  const timesOf = new Map(times.map((item) => [item.personId, item]));
  const touched = [...new Set(rows.map((row) => row.person_id))];
  const settled = new Set(await settleLifecycle(work, touched, { times: timesOf, ...(lifted && { lifted }) }));
  const others = touched.filter((id) => !settled.has(id));
  // Whoever decided about a block on an older version must not act on it: what leads back to being active has changed.
  await work.sql.query("update people set version = version + 1 where id = any($1::uuid[])", [others]);
  await markPeople(work, { personIds: others, times: timesOf });
  return settled;
}
