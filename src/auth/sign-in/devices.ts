import type { Sql, Work } from "../../db/database.ts";
import { hashOfSecret, isSecret } from "../sessions/session.ts";

/** Whether somebody has signed in from this browser before, by the secret in its device cookie. */
export async function isKnownDevice(sql: Sql, { personId, secret }: { personId: string; secret: string | undefined }): Promise<boolean> {
  if (!isSecret(secret)) return false;
  const { rows } = await sql.query("select from sign_in_devices where person_id = $1 and hash = $2", [personId, hashOfSecret(secret)]);
  return rows.length > 0;
}

/** Whether anybody has. */
export async function isKnownBrowser(sql: Sql, secret: string | undefined): Promise<boolean> {
  if (!isSecret(secret)) return false;
  const { rowCount } = await sql.query("select from sign_in_devices where hash = $1 limit 1", [hashOfSecret(secret)]);
  return Boolean(rowCount);
}

/** Forgets browsers that nobody came from for a year, for the daily upkeep; returns how many. */
export async function forgetDevices({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from sign_in_devices where last_seen_at < $1", [
    new Date(ctx.now().getTime() - 365 * 86_400_000),
  ]);
  return rowCount ?? 0;
}
