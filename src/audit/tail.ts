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
/** So many looks long one with a lower id may still come, at least: transactions end in another order than they number their events. */
const LATE_LOOKS = 10;

interface Look {
  newest: number;
  /** Whatever was being written then has a lower number than this. */
  writing: number;
}

/** Tells the newest events and then every new one, however many come between two looks, until it is ended. */
export async function followEvents(sql: Sql, { again, onEvent, limit, ...only }: FollowOptions): Promise<void> {
  // Those before them are only known: what comes between these is new.
  const most = Math.max(limit, AT_ONCE);
  const first = await readEvents(sql, { ...only, limit: most });
  first.slice(-limit).forEach(onEvent);
  let settled = first.length < most ? 0 : (first[0]?.id ?? 1) - 1;
  const told = new Set(first.map(({ id }) => id));
  const looks: Look[] = [];
  for (let newest = first.at(-1)?.id ?? 0; await again();) {
    for (let full = true; full;) {
      const more = await readEvents(sql, { ...only, after: settled, except: [...told], limit: AT_ONCE });
      for (const event of more) {
        onEvent(event);
        told.add(event.id);
        newest = Math.max(newest, event.id);
      }
      full = more.length === AT_ONCE;
    }
    const { ended, writing } = await readTransactions(sql);
    looks.push({ newest, writing });
    while (looks.length > LATE_LOOKS && looks[0] && looks[0].writing <= ended) settled = Math.max(settled, looks.shift()?.newest ?? 0);
    for (const id of told) if (id <= settled) told.delete(id);
  }
}

/** The transactions that write: all with lower numbers than `ended` have ended, none with `writing` or higher has begun. */
async function readTransactions(sql: Sql): Promise<{ ended: number; writing: number }> {
  const { rows } = await sql.query<{ ended: string; writing: string }>(
    "select pg_snapshot_xmin(now)::text as ended, pg_snapshot_xmax(now)::text as writing from pg_current_snapshot() now",
  );
  return { ended: Number(rows[0]?.ended), writing: Number(rows[0]?.writing) };
}
