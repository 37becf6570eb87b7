import { Fault } from "../../connectors/contract.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import type { Database, Sql } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { bringAccount } from "./bring-account.ts";
import { bringGroup } from "./bring-group.ts";
import { wantedMembers } from "./group-members.ts";
import { AwaitedName, holderOf } from "./holder.ts";
import { intend, MovedOn, type Intent } from "./intent.ts";
import { withLock, type LockedWork } from "./lock.ts";
import { recordDelivered, recordFault } from "./outcome.ts";
import type { Pass } from "./pace.ts";
import { readProjection, type Delivered, type Operation, type Projection } from "./row.ts";
import type { Targets } from "./targets.ts";
import { bringSource } from "./write-back.ts";

export interface DeliverOptions {
  db: Database;
  targets: Targets;
  projectionId: number;
}

export type DeliverOutcome = "delivered" | "nothing" | "busy" | "waiting" | "fault";

const BUSY_WAIT_MS = 1_000;

/**
 * Brings one target account to its desired state. One delivery per account at a time, over all nodes; what it does is
 * read from the row when it starts, so that a job is only a wake-up and any number of them lead to the same end.
 */
export async function deliver(ctx: Context, { db, targets, projectionId }: DeliverOptions): Promise<DeliverOutcome> {
  const outcome = await withLock(ctx, {
    db,
    name: `deliver:${projectionId}`,
    work: (locked) => deliverLocked(ctx, { locked, targets, projectionId }),
  });
  if (outcome === "busy") {
    // Whoever is at it may have read the row before the change that woke us.
    await comeAgain(db.pool, { projectionId, at: new Date(ctx.now().getTime() + BUSY_WAIT_MS) });
  }
  return outcome;
}

function comeAgain(sql: Sql, { projectionId, at }: { projectionId: number; at: Date }): Promise<void> {
  return enqueue(sql, { job: "deliver", payload: { projectionId }, key: `deliver:${projectionId}`, runAt: at });
}

interface LockedOptions {
  locked: LockedWork;
  targets: Targets;
  projectionId: number;
}

async function deliverLocked(ctx: Context, { locked, targets, projectionId }: LockedOptions): Promise<DeliverOutcome> {
  const row = await readProjection(locked.sql, projectionId);
  if (!row) return "nothing";
  if (isRemovalDue(row, ctx.now())) {
    await wakeRemoval(ctx, { locked, row });
    return "waiting";
  }
  if (row.state !== "waiting" && row.state !== "retrying") return "nothing";
  const connection = await targets.load(locked.sql, row.connectionId);
  if (!connection.row.enabled || connection.state === "flagged") return "waiting";

  const entry = targets.pace.enter(connection.id);
  if ("putOffMs" in entry) {
    await comeAgain(locked.sql, { projectionId, at: new Date(ctx.now().getTime() + entry.putOffMs) });
    return "waiting";
  }

  const startedAt = ctx.now();
  const attempt = { row, connection, startedAt };
  let delivered: Delivered;
  let pass: Pass = "nothing";
  let retryAfterMs: number | undefined;
  try {
    delivered = await bring(ctx, { locked, targets, row, connection });
    if (delivered.operation !== undefined) pass = "answered";
  } catch (error) {
    // Whoever decided has woken the next delivery.
    if (error instanceof MovedOn) return "waiting";
    if (!(error instanceof Fault)) throw error;
    pass = error.kind === "transient" && !(error instanceof AwaitedName) ? "silent" : "answered";
    ({ retryAfterMs } = error);
    await locked.transaction((work) => recordFault(work, { ...attempt, operation: intendedOperation(row), fault: error }));
    return "fault";
  } finally {
    entry.leave(pass, { retryAfterMs });
  }
  await locked.transaction((work) => recordDelivered(work, { ...attempt, delivered }));
  return delivered.operation === undefined ? "nothing" : "delivered";
}

interface BringOptions {
  locked: LockedWork;
  targets: Targets;
  row: Projection;
  connection: LoadedConnection;
}

async function bring(ctx: Context, { locked, targets, row, connection }: BringOptions): Promise<Delivered> {
  const { provision, writeBack } = connection.policy;
  let delivered: Delivered = {
    operation: undefined,
    nativeId: row.nativeId,
    state: row.deliveredState,
    attributes: row.delivered,
    hash: row.deliveredHash,
  };
  if (provision) {
    const shared = {
      intend: (intent: Intent) => intend(locked, { row, connection }, intent),
      holderOf: (nativeId: string) => holderOf(locked.sql, { row, nativeId }),
      namedElsewhere: (name: string) => namedElsewhere(locked, { row, name }),
    };
    delivered = await targets.withTarget(connection, async (target) =>
      row.kind === "group"
        ? bringGroup(row, {
            target,
            ...shared,
            wanted: await wantedMembers(locked.sql, { connectionId: connection.id, groupId: row.groupId ?? "" }),
          })
        : bringAccount(row, {
            target,
            ...shared,
            match: provision.match,
            keptElsewhere: (nativeId) => keptElsewhere(locked, { row, nativeId }),
          }),
    );
  }
  if (row.kind === "user" && (writeBack.disable || writeBack.groups)) {
    const operation = await targets.withWriteBack(connection, (opened) =>
      bringSource(locked, { row, connection, writeBack: opened, now: ctx.now() }),
    );
    delivered = { ...delivered, operation: delivered.operation ?? operation };
  }
  return delivered;
}

/**
 * Who moves from one target's scope into another's, of one application, keeps the account: the one lets go of it, and disables it no more.
 * Of whoever left none does: the other may not have been asked yet, or be flagged, and nobody would disable it.
 */
async function keptElsewhere(locked: LockedWork, { row, nativeId }: { row: Projection; nativeId: string }): Promise<boolean> {
  const { rows } = await locked.sql.query(
    `select from connections own
       join connections c on c.id <> own.id and c.enabled and c.connector = own.connector and rtrim(c.settings ->> 'url', '/') = rtrim(own.settings ->> 'url', '/')
       join projections p on p.connection_id = c.id and p.person_id = $2 and p.native_id = $3 and p.desired_state = 'present'
       join people x on x.id = p.person_id and x.active
     where own.id = $1 limit 1`,
    [row.connectionId, row.personId, nativeId],
  );
  return rows.length > 0;
}

/** Asked of an account or group whose making was not confirmed and that has another name by now: it is read over all that are not linked. */
async function namedElsewhere(locked: LockedWork, { row, name }: { row: Projection; name: string }): Promise<boolean> {
  const { rows } = await locked.sql.query(
    `select from projections where connection_id = $1 and kind = $4 and id <> $2 and native_id is null
       and lower($3) in (lower(desired ->> $5), lower(delivered ->> $5), lower(delivered -> 'attributes' ->> $5)) limit 1`,
    [row.connectionId, row.id, name, row.kind, row.kind === "group" ? "displayName" : "userName"],
  );
  return rows.length > 0;
}

function isRemovalDue({ desiredState, deliveredState, removeAfter, state }: Projection, now: Date): boolean {
  return state === "idle" && desiredState === "disabled" && deliveredState === "disabled" && removeAfter !== null && removeAfter <= now;
}

/** The grace period is over: decided anew, so that guards count it and whoever came back stays. */
async function wakeRemoval(ctx: Context, { locked, row }: { locked: LockedWork; row: Projection }): Promise<void> {
  await locked.transaction(async ({ sql }) => {
    await sql.query("update projections set dirty_at = $2, version = version + 1 where id = $1", [row.id, ctx.now()]);
    await enqueue(sql, {
      job: "project",
      payload: { connectionId: row.connectionId },
      key: `project:${row.connectionId}:removal:${row.id}`,
      queue: `project:${row.connectionId}`,
    });
  });
}

function intendedOperation({ desiredState, nativeId, deliveredState, desiredHash, deliveredHash }: Projection): Operation {
  if (desiredState === "disabled") return "disable";
  if (desiredState === "removed") return "remove";
  if (nativeId === null) return "create";
  return deliveredState === "disabled" || deliveredHash === desiredHash ? "enable" : "update";
}
