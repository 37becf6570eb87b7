import type { Sql } from "../db/database.ts";

/** One event as it can be shown to anybody who may see the trail: without the sealed personal values. */
export interface AuditLine {
  id: number;
  at: Date;
  name: string;
  actor: string;
  subjectType: string | null;
  subjectId: string | null;
  correlationId: string;
  reason: string | null;
  data: Readonly<Record<string, unknown>>;
}

export interface TailOptions {
  /** Only events after this one. */
  after?: number;
  /** At most so many, the newest; they come oldest first. */
  limit: number;
  /** Only of this subject's id. */
  subjectId?: string;
  /** Only events whose name begins so: `person.`, `plan.held`. */
  name?: string;
}

export async function readEvents(sql: Sql, { after = 0, limit, subjectId, name }: TailOptions): Promise<AuditLine[]> {
  const { rows } = await sql.query<AuditLine>(
    `select id, at, name, actor, subject_type as "subjectType", subject_id as "subjectId", correlation_id as "correlationId", reason, data
     from audit_events
     where id > $1 and ($3::text is null or subject_id = $3) and ($4::text is null or starts_with(name, $4))
     order by id desc limit $2`,
    [after, limit, subjectId ?? null, name ?? null],
  );
  return rows.reverse();
}
