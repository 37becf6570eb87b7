import { z } from "zod";
import type { HookSubscription } from "../../../connectors/contract.ts";
import type { Sql } from "../../db/database.ts";
import { secretPurpose } from "../secrets.ts";

/** A row of `hooks`, as stored. */
export interface HookRow {
  connection_id: number;
  secret: string | null;
  /** Takes the place of `secret` once every subscription bears it. */
  next_secret: string | null;
  address: string | null;
  subscriptions: unknown;
  renew_asked_at: Date | null;
  kept_at: Date | null;
  problem: string | null;
  notified_at: Date | null;
  notifications: number;
  left_behind: unknown;
}

const stored = z.array(
  z.object({
    id: z.string(),
    about: z.string(),
    address: z.string(),
    expiresAt: z.coerce.date().optional(),
    resourceId: z.string().optional(),
  }),
);

/** What the secret that we made for a connection is sealed for. */
export function hookSecretPurpose(connection: string): string {
  return secretPurpose({ connection, field: "hooks.secret" });
}

/** Undefined where notifications were never looked after, and none came. */
export async function findHook(sql: Sql, connectionId: number): Promise<HookRow | undefined> {
  const { rows } = await sql.query<HookRow>("select * from hooks where connection_id = $1", [connectionId]);
  return rows[0];
}

export function subscriptionsOf({ subscriptions }: Pick<HookRow, "subscriptions">): HookSubscription[] {
  return stored.parse(subscriptions);
}

/** Where a connection's notifications are received. */
export function hookAddress(publicUrl: string, connection: string): string {
  return `${publicUrl.replace(/\/+$/, "")}/hooks/${connection}`;
}
