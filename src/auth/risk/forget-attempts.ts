import type { Work } from "../../db/database.ts";

const DAY_MS = 86_400_000;
const A_PORTION = 10_000;

/**
 * Forgets attempts whose time is over, a portion of them; each person's last success is kept, by which it is seen how long they were
 * away. Returns how many were forgotten.
 */
export async function forgetAttempts({ ctx, sql }: Work, { keepDays }: { keepDays: number }): Promise<number> {
  const { rowCount } = await sql.query(
    `delete from sign_in_attempts where id in (
       select a.id from sign_in_attempts a where a.at < $1 and not (a.outcome = 'ok' and a.person_id is not null and a.kind <> 'token' and not exists (
         select from sign_in_attempts b where b.person_id = a.person_id and b.outcome = 'ok' and b.kind <> 'token' and b.at > a.at))
       order by a.at limit ${A_PORTION})`,
    [new Date(ctx.now().getTime() - keepDays * DAY_MS)],
  );
  return rowCount ?? 0;
}
