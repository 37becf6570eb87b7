import type { Work } from "../db/database.ts";
import { EVENTS, type EventData, type EventName } from "./catalogue.ts";

export interface AuditRecord<N extends EventName> {
  name: N;
  /** person | account | group | unit | role | rule | grant | token | connection | run | plan | projection */
  subjectType?: string;
  subjectId?: string;
  reason?: string;
  data: EventData<N>;
  /** Personal values, already sealed with the person's key (see sealPersonal). */
  sealed?: string;
}

/** Records one event in the caller's transaction: nothing changes without it. Bulk changes insert theirs in their own SQL. */
export async function recordEvent<N extends EventName>({ ctx, sql }: Work, event: AuditRecord<N>): Promise<void> {
  const data = EVENTS[event.name].parse(event.data);
  await sql.query(
    `insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data, sealed)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ctx.now(),
      event.name,
      ctx.actor,
      event.subjectType ?? null,
      event.subjectId ?? null,
      ctx.correlationId,
      event.reason ?? null,
      JSON.stringify(data),
      event.sealed ?? null,
    ],
  );
}

/** Records many events with one statement, in the caller's transaction. */
export async function recordEvents({ ctx, sql }: Work, events: readonly AuditRecord<EventName>[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({
    name: event.name,
    subject_type: event.subjectType ?? null,
    subject_id: event.subjectId ?? null,
    reason: event.reason ?? null,
    data: EVENTS[event.name].parse(event.data),
    sealed: event.sealed ?? null,
  }));
  await sql.query(
    `insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data, sealed)
     select $1, e.name, $2, e.subject_type, e.subject_id, $3, e.reason, e.data, e.sealed
     from jsonb_to_recordset($4::jsonb) as e (name text, subject_type text, subject_id text, reason text, data jsonb, sealed text)`,
    [ctx.now(), ctx.actor, ctx.correlationId, JSON.stringify(rows)],
  );
}
