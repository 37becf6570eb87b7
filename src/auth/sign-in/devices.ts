import { randomUUID } from "node:crypto";
import type { Sql, Work } from "../../db/database.ts";
import { networkOf } from "../network.ts";
import { hashOfSecret, isSecret, shortUserAgent } from "../sessions/session.ts";

/** Whether somebody has signed in from this browser before, by the secret in its device cookie. */
export async function isKnownDevice(sql: Sql, { personId, secret }: { personId: string; secret: string | undefined }): Promise<boolean> {
  if (!isSecret(secret)) return false;
  const { rows } = await sql.query("select from sign_in_devices where person_id = $1 and hash = $2", [personId, hashOfSecret(secret)]);
  return rows.length > 0;
}

export interface SeenDevice {
  personId: string;
  secret: string;
  address?: string | undefined;
  userAgent?: string | undefined;
}

/** Notes a successful sign-in from a browser. `isFirst`: the person's first ever; `isNew`: from this browser. */
export async function noteDevice(
  { ctx, sql }: Work,
  { personId, secret, address, userAgent }: SeenDevice,
): Promise<{ id: string; isNew: boolean; isFirst: boolean }> {
  const { rows } = await sql.query<{ id: string; fresh: boolean; first: boolean }>(
    `insert into sign_in_devices as d (id, person_id, hash, first_seen_at, last_seen_at, user_agent, network) values ($1, $2, $3, $4, $4, $5, $6)
     on conflict (person_id, hash) do update set last_seen_at = excluded.last_seen_at, user_agent = excluded.user_agent, network = excluded.network
     returning d.id, d.id = $1 as fresh, not exists (select from sign_in_devices other where other.person_id = $2 and other.id <> d.id) as first`,
    [randomUUID(), personId, hashOfSecret(secret), ctx.now(), shortUserAgent(userAgent), networkOf(address)],
  );
  const [row] = rows;
  if (!row) throw new Error("an insert answered nothing");
  return { id: row.id, isNew: row.fresh, isFirst: row.first };
}

/** Forgets browsers that nobody came from for a year, for the daily upkeep; returns how many. */
export async function forgetDevices({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from sign_in_devices where last_seen_at < $1", [
    new Date(ctx.now().getTime() - 365 * 86_400_000),
  ]);
  return rowCount ?? 0;
}
