import { connectors } from "../../../connectors/registry.ts";
import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { policySchema } from "../definition.ts";
import { findConnection, type ConnectionRow } from "../open.ts";
import { findHook, hookAddress, subscriptionsOf } from "./state.ts";

/** What is known of a connection's change notifications; no secret. */
export interface HookOverview {
  name: string;
  state: "enabled" | "disabled";
  /** Where its system calls; null while nobody said by which address this server is reached. */
  address: string | null;
  /** The setting that holds it is named where the administrator chooses it. */
  secret: string;
  /** Who subscribes there. */
  madeBy: "rollcall" | "administrator";
  subscriptions: { about: string; expiresAt: Date | null; address: string }[];
  /** Why the last look at them failed. */
  problem: string | null;
  keptAt: Date | null;
  notifiedAt: Date | null;
  notifications: number;
}

/** Throws `not_found`, or `invalid` where its system sends no notifications. */
export async function hookOverview(sql: Sql, { name, publicUrl }: { name: string; publicUrl: string | undefined }): Promise<HookOverview> {
  const row = await findConnection(sql, name);
  const overview = await hookOverviewOf(sql, { row, publicUrl });
  if (overview) return overview;
  throw new AppError("invalid", `The connection ${name} has no change notifications: the connector ${row.connector} knows none.`, {
    field: "connection",
  });
}

/** Undefined where its system sends no notifications. */
export async function hookOverviewOf(
  sql: Sql,
  { row, publicUrl }: { row: ConnectionRow; publicUrl: string | undefined },
): Promise<HookOverview | undefined> {
  const hooks = Object.hasOwn(connectors, row.connector) ? connectors[row.connector]?.hooks : undefined;
  if (!hooks) return undefined;
  const hook = await findHook(sql, row.id);
  const { secretField } = hooks;
  const isSet = secretField === undefined ? Boolean(hook?.secret) : row.secrets[secretField] !== undefined;
  const state = row.enabled && policySchema.parse(row.policy).notifications.enabled ? "enabled" : "disabled";
  return {
    name: row.name,
    state,
    address: publicUrl === undefined ? (hook?.address ?? null) : hookAddress(publicUrl, row.name),
    secret: `${isSet ? "set" : "not set"}${hook?.next_secret ? ", another is to take its place" : ""}${secretField === undefined ? "" : ` (settings.${secretField})`}`,
    madeBy: hooks.keep ? "rollcall" : "administrator",
    subscriptions: (hook ? subscriptionsOf(hook) : []).map(({ about, address, expiresAt }) => ({
      about,
      address,
      expiresAt: expiresAt ?? null,
    })),
    problem: hook?.problem ?? null,
    keptAt: hook?.kept_at ?? null,
    notifiedAt: hook?.notified_at ?? null,
    notifications: hook?.notifications ?? 0,
  };
}
