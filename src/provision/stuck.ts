import type { Condition } from "../access/policy.ts";
import type { Sql } from "../db/database.ts";
import { TARGET_FACT } from "./step-facts.ts";
import { outstanding, STILL_THERE, type TargetFact } from "./steps.ts";

/** A step that is not done, of anybody. */
export interface StuckStep {
  /** Projection, or plan and place in it: where the next page begins. */
  place: readonly [projection: number, plan: number, seq: number];
  person: { id: string; displayName: string } | null;
  what: "target-account" | "target-group" | "plan";
  target: string;
  state: "waiting" | "failed";
  at: Date | null;
  detail: string;
  error: string | null;
  nextTry: Date | null;
}

export interface StuckOptions {
  state: "waiting" | "failed";
  limit: number;
  after?: readonly [number, number, number] | undefined;
  /** A condition on the people `p`, numbered from the given parameter on. */
  people: (from: number) => Condition;
  /** The people whose targets' own words may be shown, likewise. */
  told: (from: number) => Condition;
  /** Groups too, which belong to nobody. */
  groups: boolean;
}

const IS: Readonly<Record<StuckOptions["state"], string>> = {
  failed: "pr.state = 'dead'",
  waiting: "(pr.state in ('waiting', 'retrying', 'held') or (pr.state = 'idle' and pr.dirty_at is not null))",
};

/** Nobody is marked for a target that is disabled: who left since is in there, and nothing says so of the projection itself. */
const inDisabledTargets = (ids: string) =>
  `(pr.connection_id = any(${ids}::int[]) and pr.state = 'idle' and pr.desired_state = 'present' and p.state not in ('active', 'invited'))`;
const DISABLED_TARGETS = "select id from connections where not enabled and jsonb_typeof(policy -> 'provision') = 'object'";

/** Who is stuck anywhere: deliveries that are not through, then items of held plans. */
export async function stuckSteps(sql: Sql, options: StuckOptions): Promise<StuckStep[]> {
  const { state, limit, after: [projection, plan, seq] = [0, 0, 0] } = options;
  const deliveries = plan === 0 ? await stuckDeliveries(sql, { ...options, projection }) : [];
  const missing = limit - deliveries.length;
  if (state === "failed" || missing === 0) return deliveries;
  return [...deliveries, ...(await heldItems(sql, { ...options, limit: missing, plan, seq }))];
}

async function stuckDeliveries(sql: Sql, { state, limit, people, told, groups, projection }: StuckOptions & { projection: number }) {
  // Asked apart, because a condition on everybody's projections is dear, and seldom needed.
  const disabled = state === "waiting" ? (await sql.query<{ id: number }>(DISABLED_TARGETS)).rows.map(({ id }) => id) : [];
  const reached = people(4);
  const shown = told(4 + reached.values.length);
  const left = disabled.length === 0 ? [] : [disabled];
  const stuck =
    disabled.length === 0 ? IS[state] : `(${IS[state]} or ${inDisabledTargets(`$${4 + reached.values.length + shown.values.length}`)})`;
  const { rows } = await sql.query<TargetFact & { personId: string | null; displayName: string | null; told: boolean }>(
    `select ${TARGET_FACT}, p.id as "personId", coalesce(p.display_name, p.user_name)::text as "displayName",
       case when p.id is null then true else (${shown.text}) is true end as told
     from projections pr join connections c on c.id = pr.connection_id left join people p on p.id = pr.person_id left join groups g on g.id = pr.group_id
     where pr.id > $2 and ${stuck} and case when pr.person_id is null then $3::boolean else ${reached.text} end
     order by pr.id limit $1`,
    [limit, projection, groups, ...reached.values, ...shown.values, ...left],
  );
  return rows.map((fact): StuckStep => ({
    place: [fact.projectionId, 0, 0],
    person: fact.personId === null ? null : { id: fact.personId, displayName: fact.displayName ?? "" },
    what: fact.group === null ? "target-account" : "target-group",
    target: fact.group === null ? fact.target : `${fact.target}: ${fact.group}`,
    ...(outstanding(fact) ?? { state, detail: STILL_THERE[fact.stopped ?? "not"], nextTry: fact.nextTry }),
    at: fact.decidedAt,
    error: fact.told ? fact.lastError : null,
  }));
}

async function heldItems(sql: Sql, { limit, people, plan, seq }: StuckOptions & { plan: number; seq: number }) {
  const reached = people(4);
  const { rows } = await sql.query<{
    plan: number;
    seq: number;
    action: string;
    target: string;
    at: Date;
    id: string;
    displayName: string;
  }>(
    `select i.plan_id as plan, i.seq, i.action, c.name as target, pl.closed_at as at, p.id, coalesce(p.display_name, p.user_name)::text as "displayName"
     from plans pl join plan_items i on i.plan_id = pl.id join people p on p.id = i.subject_id join connections c on c.id = pl.connection_id
     where pl.state = 'held' and i.kind = 'user' and (i.plan_id, i.seq) > ($2::bigint, $3::int) and ${reached.text}
     order by i.plan_id, i.seq limit $1`,
    [limit, plan, seq, ...reached.values],
  );
  return rows.map((item): StuckStep => ({
    place: [0, item.plan, item.seq],
    person: { id: item.id, displayName: item.displayName },
    what: "plan",
    target: item.target,
    state: "waiting",
    at: item.at,
    detail: `Plan ${item.plan} (${item.action}) is held by a guard until somebody approves or rejects it.`,
    error: null,
    nextTry: null,
  }));
}
