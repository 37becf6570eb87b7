import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { newSecret, type SignInMethod } from "./session.ts";

/**
 * Gives a session another secret, so that a cookie from before opens nothing any more: when its person proves more, or their
 * password changes. `proven` also notes that they have proven themselves now, and how. Throws `forbidden` when it has ended.
 */
export async function rotateSession(
  { ctx, sql }: Work,
  { id, proven }: { id: string; proven?: readonly SignInMethod[] },
): Promise<{ secret: string }> {
  const { secret, hash } = newSecret();
  const { rowCount } = await sql.query(
    `update sessions set hash = $2, last_seen_at = $3, proven_at = case when $4::text[] is null then proven_at else $3 end,
       methods = (select array_agg(distinct method order by method) from unnest(methods || coalesce($4::text[], '{}')) as method)
     where id = $1 and ended_at is null and expires_at > $3`,
    [id, hash, ctx.now(), proven ?? null],
  );
  if (rowCount === 0) throw new AppError("forbidden", "This session has ended: sign in again.", { field: "session" });
  return { secret };
}
