import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { newSecret, type Federation, type SignInMethod } from "./session.ts";

/**
 * Gives a session another secret, so that a cookie from before opens nothing any more: when its person proves more, or their
 * password changes. `proven` also notes that they have proven themselves now, and how. `federation` is what the identity provider that
 * the session came from has said with that proof: some name the session anew at each, and tell of its end by the last name alone.
 * Throws `forbidden` when it has ended.
 */
export async function rotateSession(
  { ctx, sql }: Work,
  { id, proven, federation }: { id: string; proven?: readonly SignInMethod[]; federation?: Federation | undefined },
): Promise<{ secret: string }> {
  const { secret, hash } = newSecret();
  const { rowCount } = await sql.query(
    `update sessions set hash = $2, last_seen_at = $3, proven_at = case when $4::text[] is null then proven_at else $3 end,
       methods = (select array_agg(distinct method order by method) from unnest(methods || coalesce($4::text[], '{}')) as method),
       federation_subject = case when connection_id = $5::int then $6 else federation_subject end,
       federation_session = case when connection_id = $5::int then coalesce($7, federation_session) else federation_session end,
       expires_at = case when connection_id = $5::int then least(expires_at, $8::timestamptz) else expires_at end
     where id = $1 and ended_at is null and expires_at > $3`,
    [
      id,
      hash,
      ctx.now(),
      proven ?? null,
      federation?.connectionId ?? null,
      federation?.subject ?? null,
      federation?.session ?? null,
      federation?.until ?? null,
    ],
  );
  if (rowCount === 0) throw new AppError("forbidden", "This session has ended: sign in again.", { field: "session" });
  return { secret };
}
