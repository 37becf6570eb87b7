import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { wakeDeliveries } from "./decision.ts";

/** A delivery that is not through, as `delivery list` shows it. */
export interface Letter {
  id: number;
  connection: string;
  kind: "user" | "group";
  /** userName, or the group's name. */
  subject: string;
  state: "waiting" | "retrying" | "held" | "dead";
  desired: string;
  attempts: number;
  /** The target's own words, or the guard's. */
  reason: string | null;
  decidedAt: Date | null;
}

export interface ListOptions {
  state?: Letter["state"];
  /** Name of the target. */
  connection?: string;
  limit?: number;
}

/** What waits, is tried again, is held by a guard, or is a dead letter: the dead and held first. */
export async function listDeliveries(sql: Sql, { state, connection, limit = 1000 }: ListOptions = {}): Promise<Letter[]> {
  const { rows } = await sql.query<Letter>(
    `select p.id, c.name as connection, p.kind, coalesce(person.user_name, groups.display_name, '')::text as subject, p.state,
       p.desired_state as desired, p.attempts, p.last_error as reason, p.decided_at as "decidedAt"
     from projections p
     join connections c on c.id = p.connection_id
     left join people person on person.id = p.person_id
     left join groups on groups.id = p.group_id
     where p.state <> 'idle' and ($1::text is null or p.state = $1) and ($2::text is null or c.name = $2)
     order by array_position(array['dead', 'held', 'retrying', 'waiting'], p.state), c.name, p.id limit $3`,
    [state ?? null, connection ?? null, limit],
  );
  return rows;
}

export type RetryOptions = { ids: readonly number[] } | { connection: string } | { all: true };

/**
 * Sends dead letters again, lets go what a guard held, and moves up what waits for its next try. Returns how many.
 * Throws `not_found` when an id names nothing that could be tried.
 */
export async function retryDeliveries(work: Work, options: RetryOptions): Promise<number> {
  const ids = "ids" in options ? options.ids : null;
  const connection = "connection" in options ? options.connection : null;
  const { rows } = await work.sql.query<{ id: number; connection: string; state: string }>(
    `update projections p set attempts = 0, last_error = null, version = p.version + 1,
       state = case when ${DIED_OF_MAPPING} then 'idle' else 'waiting' end,
       dirty_at = case when ${DIED_OF_MAPPING} then $3 else p.dirty_at end
     from connections c
     where c.id = p.connection_id and p.state in ('dead', 'held', 'retrying', 'waiting')
       and ($1::bigint[] is null or p.id = any($1)) and ($2::text is null or c.name = $2)
     returning p.id, c.name as connection, p.state`,
    [ids, connection, work.ctx.now()],
  );
  const missing = ids?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
  if (missing.length > 0)
    throw new AppError(
      "not_found",
      `There is no delivery ${missing.join(", ")} that could be tried again; \`rollcall delivery list\` shows those that can.`,
      { field: "id" },
    );
  await wakeDeliveries(
    work,
    rows.filter(({ state }) => state === "waiting").map(({ id }) => id),
  );
  await wakeTargets(work, [...new Set(rows.filter(({ state }) => state === "idle").map((row) => row.connection))]);
  for (const target of new Set(rows.map((row) => row.connection))) {
    await recordEvent(work, {
      name: "delivery.retried",
      subjectType: "connection",
      subjectId: target,
      data: { target, count: rows.filter((row) => row.connection === target).length },
    });
  }
  return rows.length;
}

/** Nothing was decided that could be sent: it is decided anew. */
const DIED_OF_MAPPING = "(p.state = 'dead' and (p.desired_state = 'absent' or (p.desired_state = 'present' and p.desired_hash is null)))";

async function wakeTargets({ sql, ctx }: Work, names: readonly string[]): Promise<void> {
  await sql.query(
    `select enqueue_job('project', json_build_object('connectionId', id), 'project:' || id, null, 25, 'project:' || id || ':' || $2)
     from connections where name = any($1)`,
    [names, ctx.correlationId],
  );
}
