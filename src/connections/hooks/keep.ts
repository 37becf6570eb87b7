import type { HookSubscription } from "../../../connectors/contract.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Context } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import { open, type KeyRing } from "../../db/envelope.ts";
import { AppError, messageOf } from "../../errors.ts";
import { connectionOf, openOptions, type ConnectionRow, type LoadedConnection } from "../open.ts";
import { newHookSecret } from "./secret.ts";
import { findHook, hookAddress, hookSecretPurpose, subscriptionsOf, type HookRow } from "./state.ts";

export interface KeepOptions {
  db: Database;
  keyRing: KeyRing;
  connectionId: number;
  /** Where this deployment is reached from outside; undefined when nobody said so. */
  publicUrl: string | undefined;
}

/** Nothing that can be subscribed to lives for longer. */
const LONGEST_LIFE_MS = 60 * 24 * 3_600_000;

/**
 * Looks after one connection's subscriptions: makes and renews them while they are wanted, ends them when it was disabled, removed,
 * or wants none any more. What goes wrong is noted, told once, and tried again at the next look; syncs don't depend on it.
 */
export async function keepHooks(ctx: Context, options: KeepOptions): Promise<void> {
  const { db, connectionId } = options;
  const { rows } = await db.pool.query<ConnectionRow>("select * from connections where id = $1", [connectionId]);
  const hook = await findHook(db.pool, connectionId);
  const left = rows[0] ? undefined : leftBehind(hook);
  const row = rows[0] ?? left?.row;
  if (!row) return;
  try {
    await bring(ctx, { ...options, row, hook, removed: left !== undefined });
    await noteKept(ctx, { db, connectionId, hook });
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    await noteProblem(ctx, { db, row, problem: messageOf(error) });
  }
  if (left) await forget(ctx, { db, connectionId, leftAt: left.at });
}

interface Bringing extends KeepOptions {
  row: ConnectionRow;
  hook: HookRow | undefined;
  removed: boolean;
}

async function bring(ctx: Context, { row, hook, removed, ...options }: Bringing): Promise<void> {
  const { db, keyRing, publicUrl, connectionId } = options;
  const there = hook?.address ?? null;
  const connection = connectionOf(row, keyRing);
  if (!connection.connector.hooks?.keep) return;
  const wanted = !removed && row.enabled && connection.policy.notifications.enabled;
  if (!wanted && there === null) return;
  if (wanted && publicUrl === undefined)
    throw new AppError(
      "misconfigured",
      `${connection.connector.title} can't tell us what changes: http.publicUrl is not set, the https address by which this server is reached from outside.`,
      { field: "http.publicUrl" },
    );
  const address = wanted && publicUrl !== undefined ? hookAddress(publicUrl, row.name) : null;
  if (there !== null && there !== address) {
    await call(ctx, { db, keyRing, connection, address: there, wanted: false });
    await db.pool.query("update hooks set address = null where connection_id = $1", [connectionId]);
  }
  if (address === null) return;
  // Before anything is asked for, so that what a crash leaves there is found by it.
  await db.pool.query(
    `insert into hooks (connection_id, secret, address) values ($1, $2, $3)
     on conflict (connection_id) do update set secret = coalesce(hooks.secret, excluded.secret), address = excluded.address`,
    [connectionId, newHookSecret(row.name, keyRing), address],
  );
  await call(ctx, { db, keyRing, connection, address, wanted: true });
}

interface Calling {
  db: Database;
  keyRing: KeyRing;
  connection: LoadedConnection;
  address: string;
  wanted: boolean;
}

async function call(ctx: Context, { db, keyRing, connection, address, wanted }: Calling): Promise<void> {
  const hook = await findHook(db.pool, connection.id);
  if (!hook) return;
  const sealed = hook.next_secret ?? hook.secret;
  await connection.connector.hooks?.keep?.({
    ...openOptions(connection, ctx),
    address,
    wanted,
    secret: sealed === null ? "" : open(keyRing, { purpose: hookSecretPurpose(connection.name), sealed }),
    held: subscriptionsOf(hook),
    renew: hook.renew_asked_at !== null,
    anew: hook.next_secret !== null,
    store: async (held: readonly HookSubscription[]) => {
      await db.pool.query("update hooks set subscriptions = $2 where connection_id = $1", [connection.id, JSON.stringify(held)]);
    },
  });
  // Nothing bears the older one any more. A key rotation meanwhile sealed both anew: then the next look does it.
  if (wanted && hook.next_secret !== null)
    await db.pool.query("update hooks set secret = next_secret, next_secret = null where connection_id = $1 and next_secret = $2", [
      connection.id,
      hook.next_secret,
    ]);
}

async function noteKept(
  ctx: Context,
  { db, connectionId, hook }: { db: Database; connectionId: number; hook: HookRow | undefined },
): Promise<void> {
  // A renewal that was asked for meanwhile stays asked for.
  await db.pool.query(
    `update hooks set kept_at = $2, problem = null, renew_asked_at = case when renew_asked_at = $3 then null else renew_asked_at end
     where connection_id = $1`,
    [connectionId, ctx.now(), hook?.renew_asked_at ?? null],
  );
}

async function noteProblem(ctx: Context, { db, row, problem }: { db: Database; row: ConnectionRow; problem: string }): Promise<void> {
  const { id, name } = row;
  ctx.log.warn({ connection: name, problem }, "change notifications could not be looked after; tried again soon");
  await inTransaction(db, ctx, async (work) => {
    const { rowCount } = await work.sql.query(
      `insert into hooks (connection_id, problem) values ($1, $2)
       on conflict (connection_id) do update set problem = excluded.problem where hooks.problem is distinct from excluded.problem`,
      [id, problem],
    );
    if (!rowCount) return;
    const subject = { subjectType: "connection", subjectId: name, reason: problem };
    await recordEvent(work, { name: "connection.notifications_failed", ...subject, data: { name } });
  });
}

interface LeftBehind {
  at: Date;
  row: ConnectionRow;
}

function leftBehind(hook: HookRow | undefined): LeftBehind | undefined {
  if (!hook?.left_behind) return undefined;
  // Written by leaveHooks, from a row of `connections`.
  const { at, row } = hook.left_behind as { at: string; row: ConnectionRow };
  return { at: new Date(at), row };
}

/** Of a removed connection nothing is kept once its subscriptions are ended, or can't live any more. */
async function forget(ctx: Context, { db, connectionId, leftAt }: { db: Database; connectionId: number; leftAt: Date }): Promise<void> {
  const over = ctx.now().getTime() - leftAt.getTime() > LONGEST_LIFE_MS;
  await db.pool.query("delete from hooks where connection_id = $1 and left_behind is not null and (address is null or $2)", [
    connectionId,
    over,
  ]);
}
