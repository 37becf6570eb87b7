import type { World } from "../provision/world.ts";

interface Times {
  /** Null where the source tells no time of the change. */
  changed: Date | null;
  seen: Date;
  decided: Date;
  delivered: Date;
}

const LAST = `
  select d.source_changed_at as changed, d.seen_at as seen, d.decided_at as decided, d.finished_at as delivered
  from deliveries d join projections p on p.id = d.projection_id join connections c on c.id = d.connection_id
  where c.name = $1 and p.person_id = $2 and d.state = 'delivered' order by d.id desc limit 1`;

/**
 * The four times of what was delivered last about a person to a system, in one line, and in order. A source that tells no time of its
 * changes has the instant at which the test made the change.
 */
export async function fourTimes(
  world: World,
  { what, target, personId, changedAt }: { what: string; target: string; personId: string; changedAt: Date },
): Promise<{ line: string; times: readonly Date[] }> {
  const { rows } = await world.db.pool.query<Times>(LAST, [target, personId]);
  const [row] = rows;
  if (row === undefined) throw new Error(`nothing was delivered to ${target} about ${personId}`);
  const changed = row.changed ?? changedAt;
  const since = (at: Date, before: Date) => `+${((at.getTime() - before.getTime()) / 1000).toFixed(3)} s`;
  const told = row.changed === null ? " (the source does not say)" : "";
  const line = `${what}: changed ${changed.toISOString().slice(11, 23)}${told}, seen ${since(row.seen, changed)}, decided ${since(row.decided, row.seen)}, delivered to ${target} ${since(row.delivered, row.decided)}`;
  return { line, times: [changed, row.seen, row.decided, row.delivered] };
}
