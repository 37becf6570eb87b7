import type { Work } from "../db/database.ts";

/** The longest window that limits may have (connections/definition.ts), and a day more. */
const KEPT_HOURS = 24 * 32;
const AT_ONCE = 10_000;

/** Deletes a portion of what was counted before any guard's window. Returns how many rows; 0 when none is left. */
export async function forgetGuardCounts({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query(
    `delete from guard_counts where id = any(array(
       select id from guard_counts where at < $1::timestamptz - make_interval(hours => $2) limit $3))`,
    [ctx.now(), KEPT_HOURS, AT_ONCE],
  );
  return rowCount ?? 0;
}
