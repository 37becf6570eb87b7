import type { Work } from "../db/database.ts";

/** How long it is kept that something was sent. */
const KEPT_DAYS = 90;
/** How long what could not be sent can be sent again. */
const RESENDABLE_DAYS = 7;

/** Ends what nobody will send any more, empties what was not sent in time, and forgets what is long over. Returns how many were forgotten. */
export async function forgetNotices({ ctx, sql }: Work): Promise<number> {
  const now = ctx.now();
  const before = (days: number) => new Date(now.getTime() - days * 86_400_000);
  await sql.query(
    `update notices set state = 'failed', ended_at = $1, content = null, problem = coalesce(problem, 'It was not sent in time.')
     where state = 'queued' and expires_at < $2`,
    [now, before(1)],
  );
  await sql.query(
    "update notices set content = null where state = 'failed' and content is not null and (expires_at < $1 or created_at < $2)",
    [now, before(RESENDABLE_DAYS)],
  );
  const { rowCount } = await sql.query("delete from notices where created_at < $1 and state <> 'queued'", [before(KEPT_DAYS)]);
  return rowCount ?? 0;
}
