import type { Sql } from "../db/database.ts";

export const PROJECTION_STATES = ["idle", "waiting", "retrying", "held", "dead"] as const;
export type ProjectionState = (typeof PROJECTION_STATES)[number];

/** What we want at a target for one account or group, and what stands there. */
export interface ProjectionView {
  id: number;
  target: string;
  kind: "user" | "group";
  personId: string | null;
  groupId: string | null;
  /** Login name, or the group's name. */
  subject: string | null;
  nativeId: string | null;
  desired: string;
  delivered: string | null;
  state: ProjectionState;
  /** Something that it follows from changed, and it was not looked at since. */
  dirty: boolean;
  attempts: number;
  /** The target's own words, or the guard's. */
  reason: string | null;
  removeAfter: Date | null;
  /** The four times. */
  sourceChangedAt: Date | null;
  seenAt: Date | null;
  decidedAt: Date | null;
  deliveredAt: Date | null;
}

export interface ListProjectionsOptions {
  /** Of one target; of all when absent. */
  connectionId?: number | undefined;
  states?: readonly ProjectionState[] | undefined;
  personId?: string | undefined;
  after?: number | undefined;
  limit: number;
}

/** Projections in the order of their ids. */
export async function listProjections(
  sql: Sql,
  { connectionId, states, personId, after, limit }: ListProjectionsOptions,
): Promise<ProjectionView[]> {
  const { rows } = await sql.query<ProjectionView>(
    `select p.id, c.name as target, p.kind, p.person_id as "personId", p.group_id as "groupId", coalesce(x.user_name, g.display_name)::text as subject,
       p.native_id as "nativeId", p.desired_state as desired, p.delivered_state as delivered, p.state, p.dirty_at is not null as dirty, p.attempts,
       p.last_error as reason, p.remove_after as "removeAfter", p.source_changed_at as "sourceChangedAt", p.seen_at as "seenAt", p.decided_at as "decidedAt",
       p.delivered_at as "deliveredAt"
     from connections c join projections p on p.connection_id = c.id left join people x on x.id = p.person_id left join groups g on g.id = p.group_id
     where ($1::int is null or c.id = $1) and ($2::text[] is null or (p.state = any($2) and (p.state <> 'idle' or 'idle' = any($2))))
       and ($3::uuid is null or p.person_id = $3) and p.id > $4 order by p.id limit $5`,
    [connectionId ?? null, states ?? null, personId ?? null, after ?? 0, limit],
  );
  return rows;
}
