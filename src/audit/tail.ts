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
  /** Only events after this one: then at most so many, the oldest. */
  after?: number;
  /** At most so many, the newest; they come oldest first. */
  limit: number;
  /** Only of this subject's id. */
  subjectId?: string | undefined;
  /** Only events whose name begins so: `person.`, `plan.held`. */
  name?: string | undefined;
  /** Not these. */
  except?: readonly number[];
}

export async function readEvents(sql: Sql, { after, limit, subjectId, name, except = [] }: TailOptions): Promise<AuditLine[]> {
  const { rows } = await sql.query<AuditLine>(
    `select id, at, name, actor, subject_type as "subjectType", subject_id as "subjectId", correlation_id as "correlationId", reason, data
     from audit_events
     where id > $1 and ($3::text is null or subject_id = $3) and ($4::text is null or starts_with(name, $4)) and id <> all ($5::bigint[])
     order by id ${after === undefined ? "desc" : "asc"} limit $2`,
    [after ?? 0, limit, subjectId ?? null, name ?? null, except],
  );
  return after === undefined ? rows.reverse() : rows;
}

export interface FollowOptions extends Pick<TailOptions, "limit" | "subjectId" | "name"> {
  /** Waits until it is looked again; false ends it. */
  again: () => Promise<boolean>;
  /** Each event, once: at first the newest, then those that come. */
  onEvent: (event: AuditLine) => void;
}

const AT_ONCE = 1000;
/** So many looks long one with a lower id may still come: transactions end in another order than they number their events. */
const LATE_LOOKS = 10;

/** Tells the newest events and then every new one, however many come between two looks, until it is ended. */
export async function followEvents(sql: Sql, { again, onEvent, limit, ...only }: FollowOptions): Promise<void> {
  const first = await readEvents(sql, { ...only, limit });
  first.forEach(onEvent);
  let settled = (first[0]?.id ?? 1) - 1;
  const told = new Set(first.map(({ id }) => id));
  const looks: number[] = [];
  for (let newest = first.at(-1)?.id ?? 0; await again(); looks.push(newest)) {
    for (let full = true; full;) {
      const more = await readEvents(sql, { ...only, after: settled, except: [...told], limit: AT_ONCE });
      for (const event of more) {
        onEvent(event);
        told.add(event.id);
        newest = Math.max(newest, event.id);
      }
      full = more.length === AT_ONCE;
    }
    if (looks.length < LATE_LOOKS) continue;
    settled = Math.max(settled, looks.shift() ?? 0);
    for (const id of told) if (id <= settled) told.delete(id);
  }
}
