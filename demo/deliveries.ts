import { setTimeout as sleep } from "node:timers/promises";
import type { Sql } from "../src/db/database.ts";

export interface DeliveryState {
  total: number;
  /** Brought to the target, or with nothing to bring. */
  done: number;
  /** Refused by the target, or held by a guard: nothing more comes without somebody. */
  stuck: number;
}

const STATE = `
  select count(*)::int as total,
    (count(*) filter (where p.dirty_at is null and p.state = 'idle'))::int as done,
    (count(*) filter (where p.state in ('dead', 'held')))::int as stuck
  from projections p join connections c on c.id = p.connection_id where c.name = $1`;

/** Waits until everything has gone to a target. Answers where it stands; throws when nothing moved for half a minute. */
export async function deliveriesSettled(
  sql: Sql,
  { target, signal, onProgress }: { target: string; signal: AbortSignal; onProgress: (state: DeliveryState) => void },
): Promise<DeliveryState> {
  let moved = Date.now();
  let before = -1;
  for (;;) {
    const { rows } = await sql.query<DeliveryState>(STATE, [target]);
    const [state] = rows;
    if (!state) throw new Error(`There is no connection "${target}".`);
    onProgress(state);
    if (state.done + state.stuck >= state.total) return state;
    if (state.done !== before) moved = Date.now();
    if (Date.now() - moved > 30_000) throw new Error(`Deliveries to ${target} have stopped at ${state.done} of ${state.total}.`);
    before = state.done;
    await sleep(100, undefined, { signal });
  }
}

/** When a change was first seen and decided about, and when the last of its deliveries arrived: one change may need several. */
export interface DeliveryTimes {
  seenAt: Date | null;
  decidedAt: Date | null;
  deliveredAt: Date | null;
}

const TIMES = `
  select min(d.seen_at) as "seenAt", min(d.decided_at) as "decidedAt", max(d.finished_at) as "deliveredAt"
  from deliveries d join projections p on p.id = d.projection_id join connections c on c.id = p.connection_id
  join people on people.id = p.person_id
  where c.name = $1 and people.user_name = $2 and d.state = 'delivered' and d.finished_at > $3`;

export async function deliveryTimes(
  sql: Sql,
  { target, userName, since }: { target: string; userName: string; since: Date },
): Promise<DeliveryTimes | undefined> {
  const { rows } = await sql.query<DeliveryTimes>(TIMES, [target, userName, since]);
  return rows[0];
}
