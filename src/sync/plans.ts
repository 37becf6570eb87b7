import type { Kind } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Tripped } from "./guard.ts";
import { ITEM_WEIGHT } from "./records.ts";

export type PlanState = "staging" | "closed" | "held" | "approved" | "applying" | "applied" | "rejected" | "superseded";

export interface PlanRow {
  id: number;
  runId: number;
  connection: string;
  state: PlanState;
  /** SHA-256 that binds the items, hexadecimal. */
  hash: string | null;
  /** Items by kind and action. */
  counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  guards: readonly Tripped[];
  openedAt: Date;
  decidedBy: string | null;
  decidedAt: Date | null;
  appliedAt: Date | null;
}

export interface PlanItemRow {
  seq: number;
  kind: Kind;
  action: string;
  nativeId: string;
  /** Login name, group's or unit's name, where known. */
  subject: string | null;
  reason: string;
  /** Attributes of a person that change. */
  changed: readonly string[];
  membersAdded: number;
  membersRemoved: number;
  /** Why it was not applied, when it was refused or failed. */
  outcome: string | null;
}

const PLAN = `p.id, p.run_id as "runId", c.name as connection, p.state, encode(p.hash, 'hex') as hash, p.counts, p.guards,
  p.opened_at as "openedAt", p.decided_by as "decidedBy", p.decided_at as "decidedAt", p.applied_at as "appliedAt"`;

/** The newest plans first; only of a connection, or in a state, when asked. */
export async function listPlans(
  sql: Sql,
  { connection, state, limit = 20 }: { connection?: string; state?: PlanState; limit?: number } = {},
): Promise<PlanRow[]> {
  const { rows } = await sql.query<PlanRow>(
    `select ${PLAN} from plans p join connections c on c.id = p.connection_id
     where ($1::text is null or c.name = $1) and ($2::text is null or p.state = $2) order by p.id desc limit $3`,
    [connection ?? null, state ?? null, limit],
  );
  return rows;
}

export interface ShownPlan extends PlanRow {
  items: readonly PlanItemRow[];
  /** More items than these stand in the plan. */
  more: boolean;
}

/** A plan with its items in the order of their weight: who leaves first, then disputes, then the rest. Throws `not_found`. */
export async function showPlan(
  sql: Sql,
  { planId, limit = 100, action }: { planId: number; limit?: number; action?: string },
): Promise<ShownPlan> {
  const { rows: plans } = await sql.query<PlanRow>(
    `select ${PLAN} from plans p join connections c on c.id = p.connection_id where p.id = $1`,
    [planId],
  );
  const [plan] = plans;
  if (!plan)
    throw new AppError("not_found", `There is no plan ${planId}; \`rollcall plan list\` shows those there are.`, { field: "plan" });
  const { rows: items } = await sql.query<PlanItemRow>(
    `select i.seq, i.kind, i.action, i.native_id as "nativeId", i.reason,
       coalesce(i.payload -> 'person' ->> 'userName', i.payload -> 'group' ->> 'displayName', i.payload -> 'unit' ->> 'name', x.user_name, g.display_name, u.name)::text as subject,
       array(select jsonb_array_elements_text(coalesce(i.payload -> 'person' -> 'changed', '[]'))) as changed,
       coalesce((i.payload -> 'members' ->> 'add')::int, 0) as "membersAdded", coalesce((i.payload -> 'members' ->> 'remove')::int, 0) as "membersRemoved",
       case when o.state is not null then o.state || ': ' || o.message end as outcome
     from plan_items i
     left join plan_outcomes o on o.plan_id = i.plan_id and o.seq = i.seq
     left join people x on i.kind = 'user' and x.id = i.subject_id
     left join groups g on i.kind = 'group' and g.id = i.subject_id
     left join units u on i.kind = 'unit' and u.id = i.subject_id
     where i.plan_id = $1 and ($3::text is null or i.action = $3)
     order by ${ITEM_WEIGHT}, i.seq limit $2`,
    [planId, limit + 1, action ?? null],
  );
  return { ...plan, items: items.slice(0, limit), more: items.length > limit };
}
