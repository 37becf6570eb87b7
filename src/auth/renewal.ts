import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";

/** Gives a live token another end. Throws `not_found`; `conflict` for one that is over, `invalid` for an end in the past. */
export async function renewToken(work: Work, { id, expiresAt }: { id: string; expiresAt: Date }): Promise<void> {
  const { ctx, sql } = work;
  if (expiresAt <= ctx.now())
    throw new AppError("invalid", "A token can't be renewed until a time that is past; revoke it instead.", { field: "expiresAt" });
  const { rows } = await sql.query<{ name: string; live: boolean; replaced: boolean }>(
    `select name, revoked_at is null and (expires_at is null or expires_at > $2) as live,
       exists (select from tokens n where n.replaces_id = t.id and n.revoked_at is null) as replaced
     from tokens t where id = $1 for update`,
    [id, ctx.now()],
  );
  const [token] = rows;
  if (!token) throw new AppError("not_found", `There is no token ${id}.`, { field: "token" });
  if (!token.live) throw new AppError("conflict", `The token ${token.name} is over; make another.`, { field: "token" });
  if (token.replaced)
    throw new AppError("conflict", `The token ${token.name} has been rotated; renew the one that took its place.`, { field: "token" });
  await sql.query("update tokens set expires_at = $2 where id = $1", [id, expiresAt]);
  await recordEvent(work, {
    name: "token.renewed",
    subjectType: "token",
    subjectId: id,
    data: { name: token.name, expires: expiresAt.toISOString() },
  });
}
