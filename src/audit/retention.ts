import { createHash } from "node:crypto";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { ndjsonLine } from "./export.ts";
import { recordEvent } from "./record.ts";
import type { AuditLine } from "./tail.ts";

export const FEWEST_DAYS = 90;
export const MOST_DAYS = 36_500;
const DAY_MS = 86_400_000;
/** Events that one transaction removes, with one proof. */
const AT_ONCE = 5_000;

export interface Retention {
  /** Null: events are kept for good. */
  days: number | null;
  version: number;
  changedAt: Date | null;
  changedBy: string | null;
}

export async function readRetention(sql: Sql): Promise<Retention> {
  const { rows } = await sql.query<Retention>(
    `select days, version, changed_at as "changedAt", changed_by as "changedBy" from audit_retention`,
  );
  const [row] = rows;
  if (!row) throw new Error("the row of audit_retention is gone");
  return row;
}

/** The same, and nobody changes it or removes anything until the caller's transaction ends. */
export async function lockRetention(sql: Sql): Promise<Retention> {
  await sql.query("select from audit_retention for update");
  return readRetention(sql);
}

/** Sets how long events are kept. Throws `invalid` for a time out of bounds. */
export async function setRetention(work: Work, { days, reason }: { days: number | null; reason: string }): Promise<void> {
  if (days !== null && (!Number.isInteger(days) || days < FEWEST_DAYS || days > MOST_DAYS))
    throw new AppError("invalid", `Events are kept for ${FEWEST_DAYS} to ${MOST_DAYS} days, or for good (null).`, { field: "days" });
  const { ctx, sql } = work;
  const before = (await lockRetention(sql)).days;
  await sql.query("update audit_retention set days = $1, version = version + 1, changed_at = $2, changed_by = $3", [
    days,
    ctx.now(),
    ctx.actor,
  ]);
  await recordEvent(work, { name: "audit.retention_set", subjectType: "audit", reason, data: { days, before } });
}

/** Proof of one portion of events that was removed. */
export interface Removal {
  id: number;
  removedAt: Date;
  /** How long events were kept when it was removed, and the instant that follows from it: all that was removed is older. */
  days: number;
  before: Date;
  count: number;
  firstId: number;
  lastId: number;
  /** Of the first and of the last event, in the order of their ids. */
  firstAt: Date;
  lastAt: Date;
  /** SHA-256 over the removed events as lines of their NDJSON export, by id; hexadecimal. */
  sha256: string;
}

/**
 * Removes one portion of the events whose time is over, oldest first, and keeps the proof of it, all in the caller's transaction: no
 * event goes without its proof. Returns how many went; 0 when none is left that may go. Portions exclude each other, and a change of
 * the retention.
 */
export async function removeExpiredEvents(work: Work): Promise<number> {
  const { ctx, sql } = work;
  const { days } = await lockRetention(sql);
  if (days === null) return 0;
  const before = new Date(ctx.now().getTime() - days * DAY_MS);
  const { rows: events } = await sql.query<AuditLine>(
    `select id, at, name, actor, subject_type as "subjectType", subject_id as "subjectId", correlation_id as "correlationId", reason, data
     from audit_events where at < $1 order by id limit $2 for update`,
    [before, AT_ONCE],
  );
  const [first, last] = [events[0], events.at(-1)];
  if (!first || !last) return 0;
  const { rowCount } = await sql.query("delete from audit_events where id = any($1::bigint[])", [events.map(({ id }) => id)]);
  if (rowCount !== events.length) throw new Error(`${rowCount} of ${events.length} audit events went`);
  const hash = createHash("sha256");
  for (const event of events) hash.update(ndjsonLine(event));
  await sql.query(
    `insert into audit_removals (removed_at, days, before, count, first_id, last_id, first_at, last_at, sha256)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [ctx.now(), days, before, events.length, first.id, last.id, first.at, last.at, hash.digest()],
  );
  await recordEvent(work, {
    name: "audit.removed",
    subjectType: "audit",
    data: { count: events.length, first: first.id, last: last.id, days },
  });
  return events.length;
}

/** Proofs, newest first, from before the given one on. */
export async function listRemovals(sql: Sql, { limit, after }: { limit: number; after?: number | undefined }): Promise<Removal[]> {
  const { rows } = await sql.query<Removal>(
    `select id, removed_at as "removedAt", days, before, count, first_id as "firstId", last_id as "lastId", first_at as "firstAt",
       last_at as "lastAt", encode(sha256, 'hex') as sha256
     from audit_removals where $2::bigint is null or id < $2 order by id desc limit $1`,
    [limit, after ?? null],
  );
  return rows;
}
