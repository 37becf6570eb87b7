import type { Fault, FaultKind } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import type { LoadedConnection } from "../connections/open.ts";
import { flagConnection } from "../connections/state.ts";
import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { wakeDeliveries } from "./decision.ts";
import { markGroupsOf } from "./group-members.ts";
import { leadsThere } from "./intent.ts";
import type { ProjectionState } from "./desired.ts";
import type { Delivered, Operation, Projection } from "./row.ts";

export interface Attempt {
  row: Projection;
  connection: LoadedConnection;
  startedAt: Date;
}

/** Tries until a transient fault becomes a dead letter: with the waits below, some fifteen hours. Whoever is to leave is tried on (wake.ts). */
const MAX_ATTEMPTS = 25;
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 3_600_000;
/** No quota is longer than a day; what says more is a clock or a number gone wrong, and nobody may stay in because of it. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

/** Doubling from two seconds to an hour, with jitter, and never before the target's own Retry-After, of which a day is believed at most. */
export function waitBefore(
  attempt: number,
  { retryAfterMs = 0, random = Math.random() }: { retryAfterMs?: number; random?: number } = {},
): number {
  const backoff = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.max(Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS), backoff / 2 + (random * backoff) / 2);
}

/** The target confirmed: projection, history and audit in one transaction. A projection that moved on meanwhile is woken again. */
export async function recordDelivered(
  work: Work,
  { row, connection, startedAt, delivered }: Attempt & { delivered: Delivered },
): Promise<void> {
  const { sql, ctx } = work;
  const now = ctx.now();
  const spoke = delivered.operation !== undefined;
  // What was told is of another application: what stands at this one is looked for.
  if (!(await leadsThere(sql, connection))) return wakeDeliveries(work, [row.id]);
  const { rows } = await sql.query<{ state: ProjectionState; removalDue: boolean }>(
    `update projections set native_id = $2, delivered = $3, delivered_hash = decode($4, 'hex'), delivered_state = $5,
       delivered_at = case when $6 then $7 else delivered_at end, attempts = 0,
       last_error = case when state in ('held', 'dead') then last_error end,
       state = case when state in ('held', 'dead') then state when version = $8 then 'idle' else 'waiting' end
     where id = $1 returning state, coalesce(desired_state = 'disabled' and remove_after <= $7, false) as "removalDue"`,
    [
      row.id,
      delivered.nativeId,
      delivered.attributes === null ? null : JSON.stringify(delivered.attributes),
      delivered.hash,
      delivered.state,
      spoke,
      now,
      row.version,
    ],
  );
  const stored = rows[0];
  if (!stored) return;
  if (spoke) {
    await insertDelivery(work, { row, connection, startedAt, operation: delivered.operation ?? "update", state: "delivered" });
    await recordEvent(work, {
      name: "delivery.delivered",
      ...subjectOf(row),
      data: { target: connection.name, operation: delivered.operation ?? "update" },
    });
  }
  if (stored.state === "waiting") await wakeDeliveries(work, [row.id]);
  // The grace ended while a guard, a flag or a dead letter kept the disable back: the job that was to wake the removal found nothing to do.
  if (stored.state === "idle" && delivered.state === "disabled" && stored.removalDue)
    await enqueue(sql, { job: "deliver", payload: { projectionId: row.id }, key: `remove:${row.id}`, runAt: now });
  const cameOrWent =
    row.deliveredState === "attempted" ||
    (row.deliveredState === "present") !== (delivered.state === "present") ||
    row.nativeId !== delivered.nativeId;
  if (row.personId !== null && cameOrWent && connection.policy.provision?.groups.length) {
    await markGroupsOf(sql, { connectionId: connection.id, personId: row.personId, now });
  }
}

/**
 * A fault, as the caller must react: tried again later, a dead letter, or a flagged connection. Anything else is not ours to catch.
 * What was decided meanwhile has had no try yet: it neither dies nor waits because of an older decision's fault.
 */
export async function recordFault(
  work: Work,
  { row, connection, startedAt, operation, fault }: Attempt & { operation: Operation; fault: Fault },
): Promise<void> {
  const { sql, ctx } = work;
  const attempt = row.attempts + 1;
  const blamed = reactionTo(fault, attempt);
  const reaction = blamed === "flag" && (await hasChanged(sql, connection)) ? "retry" : blamed;
  const { rowCount: stands } = await sql.query(
    `update projections set state = $2, attempts = $3, last_error = $4
     where id = $1 and state in ('waiting', 'retrying') and desired_state = $5 and desired_hash is not distinct from decode($6, 'hex')`,
    [
      row.id,
      { retry: "retrying", dead: "dead", flag: "waiting" }[reaction],
      reaction === "flag" ? row.attempts : attempt,
      fault.message,
      row.desiredState,
      row.desiredHash,
    ],
  );
  // Of a dead letter that is tried on somebody was told when it became one.
  const isNews = attempt <= MAX_ATTEMPTS || !PASSING_FAULTS.includes(fault.kind);
  const died = stands && reaction === "dead" && isNews;
  await insertDelivery(work, { row, connection, startedAt, operation, state: died ? "dead" : "failed", fault });
  if (!stands && reaction !== "flag") {
    // Whoever decided has woken the next delivery, and its time is not put off.
  } else if (reaction === "retry") {
    const runAt = new Date(ctx.now().getTime() + waitBefore(attempt, { retryAfterMs: fault.retryAfterMs }));
    await enqueue(sql, { job: "deliver", payload: { projectionId: row.id }, key: `deliver:${row.id}`, runAt });
  } else if (reaction === "dead") {
    if (isNews)
      await recordEvent(work, {
        name: "delivery.dead",
        ...subjectOf(row),
        reason: fault.message,
        data: { target: connection.name, operation, fault: fault.kind },
      });
  } else {
    await flagConnection(work, { id: connection.id, state: "flagged", reason: fault.message });
  }
  ctx.log.warn({ connection: connection.name, projection: row.id, operation, attempt, fault: fault.kind }, fault.message);
}

/** Settings that were put right while this was under way are not to blame for what the older ones met. */
async function hasChanged(sql: Sql, { id, row }: LoadedConnection): Promise<boolean> {
  const { rowCount } = await sql.query("select from connections where id = $1 and version = $2 for update", [id, row.version]);
  return rowCount === 0;
}

/** What may well be otherwise tomorrow. */
export const PASSING_FAULTS: readonly FaultKind[] = ["transient", "throttled", "expired", "gone"];

function reactionTo({ kind }: Fault, attempt: number): "retry" | "dead" | "flag" {
  switch (kind) {
    case "denied":
    case "misconfigured":
      return "flag";
    case "rejected":
    case "exists":
      return "dead";
    case "transient":
    case "throttled":
    case "expired":
    case "gone":
      return attempt >= MAX_ATTEMPTS ? "dead" : "retry";
  }
}

interface DeliveryRow extends Attempt {
  operation: Operation;
  state: "delivered" | "failed" | "dead";
  fault?: Fault;
}

async function insertDelivery({ sql, ctx }: Work, { row, startedAt, operation, state, fault }: DeliveryRow): Promise<void> {
  await sql.query(
    `insert into deliveries (projection_id, connection_id, operation, attempt, state, fault_kind, message, source_changed_at, seen_at, decided_at, started_at, finished_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      row.id,
      row.connectionId,
      operation,
      row.attempts + 1,
      state,
      fault?.kind ?? null,
      fault?.message ?? null,
      row.sourceChangedAt,
      row.seenAt,
      row.decidedAt,
      startedAt,
      ctx.now(),
    ],
  );
}

function subjectOf({ personId, groupId }: Projection): { subjectType: string; subjectId: string } {
  return personId !== null ? { subjectType: "person", subjectId: personId } : { subjectType: "group", subjectId: groupId ?? "" };
}
