import type { Sql } from "../db/database.ts";

export const OPERATIONS = ["create", "link", "update", "disable", "enable", "remove", "members"] as const;

/** One push to a target, with its four times. */
export interface DeliveryView {
  id: number;
  target: string;
  projectionId: number;
  subject: string | null;
  personId: string | null;
  operation: string;
  attempt: number;
  /** delivered, failed, dead or retried. */
  state: string;
  fault: string | null;
  message: string | null;
  sourceChangedAt: Date | null;
  seenAt: Date | null;
  decidedAt: Date | null;
  startedAt: Date;
  finishedAt: Date;
}

export interface ListDeliveryViewsOptions {
  connectionId?: number | undefined;
  projectionId?: number | undefined;
  state?: string | undefined;
  operation?: string | undefined;
  before?: number | undefined;
  limit: number;
}

/** Deliveries, the newest first. */
export async function listDeliveryViews(sql: Sql, options: ListDeliveryViewsOptions): Promise<DeliveryView[]> {
  const { rows } = await sql.query<DeliveryView>(
    `select d.id, c.name as target, d.projection_id as "projectionId", coalesce(x.user_name, g.display_name)::text as subject, p.person_id as "personId",
       d.operation, d.attempt, d.state, d.fault_kind as fault, d.message, d.source_changed_at as "sourceChangedAt", d.seen_at as "seenAt",
       d.decided_at as "decidedAt", d.started_at as "startedAt", d.finished_at as "finishedAt"
     from deliveries d join connections c on c.id = d.connection_id left join projections p on p.id = d.projection_id
       left join people x on x.id = p.person_id left join groups g on g.id = p.group_id
     where ($1::int is null or d.connection_id = $1) and ($2::bigint is null or d.projection_id = $2) and ($3::text is null or d.state = $3)
       and ($4::text is null or d.operation = $4) and ($5::bigint is null or d.id < $5) order by d.id desc limit $6`,
    [
      options.connectionId ?? null,
      options.projectionId ?? null,
      options.state ?? null,
      options.operation ?? null,
      options.before ?? null,
      options.limit,
    ],
  );
  return rows;
}

/** How long it took until access had ended everywhere, in seconds. */
export interface EndingTimes {
  /** People whose access ended at a target within the time asked for. */
  people: number;
  /** From the source's change (where it tells none: from its being seen) to the last target of that decision. */
  p50: number | null;
  p99: number | null;
  slowest: number | null;
}

/** Figures of the kill switch: over what was disabled or removed at targets since then. */
export async function endingTimes(sql: Sql, { since }: { since: Date }): Promise<EndingTimes> {
  const { rows } = await sql.query<EndingTimes>(
    `with ended as (
       select extract(epoch from max(d.finished_at) - min(coalesce(d.source_changed_at, d.seen_at, d.decided_at)))::float8 as took
         from deliveries d join projections p on p.id = d.projection_id
        where d.finished_at >= $1 and d.state = 'delivered' and d.operation in ('disable', 'remove') and p.person_id is not null
          and coalesce(d.source_changed_at, d.seen_at, d.decided_at) is not null
        group by p.person_id, coalesce(d.source_changed_at, d.seen_at, d.decided_at))
     select count(*) as people, percentile_disc(0.5) within group (order by took) as p50, percentile_disc(0.99) within group (order by took) as p99, max(took) as slowest from ended`,
    [since],
  );
  return rows[0] ?? { people: 0, p50: null, p99: null, slowest: null };
}
