import type { Work } from "./database.ts";

const KEPT_MS = 86_400_000;

/** Forgets the answers kept for repeated creates (`idempotency_keys`) that are older than a day. Returns how many. */
export async function forgetAnswers({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from idempotency_keys where created_at < $1", [new Date(ctx.now().getTime() - KEPT_MS)]);
  return rowCount ?? 0;
}
