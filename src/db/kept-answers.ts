import type { Sql, Work } from "./database.ts";

const KEPT_MS = 86_400_000;

/** Forgets the answers kept for repeated creates (`idempotency_keys`) that are older than a day. Returns how many. */
export async function forgetAnswers({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from idempotency_keys where created_at < $1", [new Date(ctx.now().getTime() - KEPT_MS)]);
  return rowCount ?? 0;
}

/** Forgets at once those kept answers, still sealed, of which `concerns` says so. Returns how many. */
export async function forgetKeptAnswers(sql: Sql, concerns: (sealed: string) => boolean): Promise<number> {
  const { rows } = await sql.query<{ caller: string; key: string; answer: string }>(
    "select caller, key, answer from idempotency_keys where answer <> ''",
  );
  const found = rows.filter(({ answer }) => concerns(answer));
  for (const { caller, key } of found) await sql.query("delete from idempotency_keys where caller = $1 and key = $2", [caller, key]);
  return found.length;
}
