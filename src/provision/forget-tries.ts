import type { Work } from "../db/database.ts";

/** How long a try that failed can be looked up. What came of a delivery in the end, delivered or dead, stays, and so does the trail. */
const KEPT_DAYS = 30;
/** Rows that one statement deletes, so that nobody waits long for its locks. */
const AT_ONCE = 10_000;

/** Deletes a portion of the tries that failed more than 30 days ago. Returns how many; 0 when none is left. */
export async function forgetTries({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query(
    `delete from deliveries where id = any(array(
       select id from deliveries where state = 'failed' and finished_at < $1::timestamptz - make_interval(days => $2) limit $3))`,
    [ctx.now(), KEPT_DAYS, AT_ONCE],
  );
  return rowCount ?? 0;
}
