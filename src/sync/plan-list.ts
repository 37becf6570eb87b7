import { fromProfile } from "../directory/attributes.ts";
import { openPersonal } from "../directory/personal.ts";
import type { AttributeObject, Kind } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import type { PlanState } from "./plans.ts";
import type { Tripped } from "./guard.ts";
import { ITEM_WEIGHT } from "./records.ts";

export const PLAN_STATES = [
  "staging",
  "closed",
  "held",
  "approved",
  "applying",
  "applied",
  "rejected",
  "superseded",
] as const satisfies readonly PlanState[];

export interface PlanView {
  id: number;
  runId: number;
  connection: string;
  state: PlanState;
  /** SHA-256 that binds the items, hexadecimal; null until it is closed. */
  hash: string | null;
  /** Items by kind and action. */
  counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What holds it, each with its numbers. */
  guards: Tripped[];
  /** Items that were not applied. */
  refused: number;
  failed: number;
  openedAt: Date;
  closedAt: Date | null;
  decidedBy: string | null;
  decidedAt: Date | null;
  appliedAt: Date | null;
}

const PLAN = `select p.id, p.run_id as "runId", c.name as connection, p.state, encode(p.hash, 'hex') as hash, p.counts, p.guards,
    (select count(*) from plan_outcomes o where o.plan_id = p.id and o.state = 'refused') as refused,
    (select count(*) from plan_outcomes o where o.plan_id = p.id and o.state = 'failed') as failed,
    p.opened_at as "openedAt", p.closed_at as "closedAt", p.decided_by as "decidedBy", p.decided_at as "decidedAt", p.applied_at as "appliedAt"
  from plans p join connections c on c.id = p.connection_id`;

export interface ListPlansOptions {
  connection?: string | undefined;
  state?: PlanState | undefined;
  /** Plans older than this one. */
  before?: number | undefined;
  limit: number;
}

/** Plans, the newest first. */
export async function listPlanViews(sql: Sql, { connection, state, before, limit }: ListPlansOptions): Promise<PlanView[]> {
  const { rows } = await sql.query<PlanView>(
    `${PLAN} where ($1::text is null or c.name = $1) and ($2::text is null or p.state = $2) and ($3::bigint is null or p.id < $3) order by p.id desc limit $4`,
    [connection ?? null, state ?? null, before ?? null, limit],
  );
  return rows;
}

/** One plan. Throws `not_found`. */
export async function readPlan(sql: Sql, planId: number): Promise<PlanView> {
  const { rows } = await sql.query<PlanView>(`${PLAN} where p.id = $1`, [planId]);
  const [plan] = rows;
  if (!plan) throw new AppError("not_found", `There is no plan ${planId}.`, { field: "plan" });
  return plan;
}

export interface PlanItemView {
  seq: number;
  kind: Kind;
  action: string;
  nativeId: string;
  accountId: number | null;
  /** The person, group or unit that it is about. */
  subjectId: string | null;
  /** Login name, group's or unit's name, where known. */
  subject: string | null;
  reason: string;
  /** Attributes of a person that change. */
  changed: string[];
  membersAdded: number;
  membersRemoved: number;
  /** When the source says that it changed, and when it was read. */
  sourceChangedAt: Date | null;
  seenAt: Date;
  /** Why it was not applied, when it was refused or failed. */
  outcome: string | null;
  /** Values of what changes; null for who may not see them, and once the person's data are erased. */
  before: Readonly<Record<string, unknown>> | null;
  after: Readonly<Record<string, unknown>> | null;
}

interface StoredItem extends Omit<PlanItemView, "before" | "after"> {
  visible: boolean;
  known: boolean;
  sealed: string | null;
  document: string | null;
}

export interface ListItemsOptions {
  planId: number;
  keyRing: KeyRing;
  action?: string | undefined;
  kind?: Kind | undefined;
  /** Weight and number of the last item of the page before. */
  after?: readonly [number, number] | undefined;
  limit: number;
  /** SQL of the people whose values may be seen (alias `x`), numbered on from $8; `all` for those who are no people of ours yet, too. */
  visible: { text: string; values: readonly unknown[]; all: boolean };
}

/** Items of a plan in the order of their weight, as far as they are still kept. */
export async function listPlanItems(
  sql: Sql,
  options: ListItemsOptions,
): Promise<{ item: PlanItemView; place: readonly [number, number] }[]> {
  const { planId, action, kind, after, limit, visible, keyRing } = options;
  const { rows } = await sql.query<StoredItem & { weight: number }>(
    `select i.seq, i.kind, i.action, i.native_id as "nativeId", i.account_id as "accountId", i.subject_id as "subjectId", i.reason,
       coalesce(i.payload -> 'person' ->> 'userName', i.payload -> 'group' ->> 'displayName', i.payload -> 'unit' ->> 'name', x.user_name, g.display_name, u.name)::text as subject,
       array(select jsonb_array_elements_text(coalesce(i.payload -> 'person' -> 'changed', '[]'))) as changed,
       coalesce((i.payload -> 'members' ->> 'add')::int, 0) as "membersAdded", coalesce((i.payload -> 'members' ->> 'remove')::int, 0) as "membersRemoved",
       i.source_changed_at as "sourceChangedAt", i.seen_at as "seenAt", case when o.state is not null then o.state || ': ' || o.message end as outcome,
       ${ITEM_WEIGHT} as weight, x.id is not null as known, i.sealed, i.person_attributes as document, case when x.id is null then $7::boolean else (${visible.text}) end as visible
     from plan_items i
     left join plan_outcomes o on o.plan_id = i.plan_id and o.seq = i.seq
     left join people x on i.kind = 'user' and x.id = i.subject_id
     left join groups g on i.kind = 'group' and g.id = i.subject_id
     left join units u on i.kind = 'unit' and u.id = i.subject_id
     where i.plan_id = $1 and ($2::text is null or i.action = $2) and ($3::text is null or i.kind = $3)
       and ($4::int is null or (${ITEM_WEIGHT}, i.seq) > ($4, $5))
     order by ${ITEM_WEIGHT}, i.seq limit $6`,
    [planId, action ?? null, kind ?? null, after?.[0] ?? null, after?.[1] ?? null, limit, visible.all, ...visible.values],
  );
  const items = [];
  for (const { visible: seen, known, sealed, document, weight, ...item } of rows) {
    const values = seen && item.kind === "user" ? await valuesOf(sql, { keyRing, item, known, sealed, document }) : null;
    items.push({ item: { ...item, before: values?.before ?? null, after: values?.after ?? null }, place: [weight, item.seq] as const });
  }
  return items;
}

type Values = Pick<PlanItemView, "before" | "after">;

/** Of a person whom we know, what was sealed with that person's key; of a new one, the profile as it will be made. */
async function valuesOf(
  sql: Sql,
  {
    keyRing,
    item,
    sealed,
    document,
  }: { keyRing: KeyRing; item: Pick<PlanItemView, "subjectId" | "action">; known: boolean } & Pick<StoredItem, "sealed" | "document">,
): Promise<Values | null> {
  if (sealed !== null && item.subjectId !== null)
    return (await openPersonal(sql, keyRing, { personId: item.subjectId, sealed })) as Values | null;
  if (document === null || item.action !== "create") return null;
  return { before: null, after: fromProfile(JSON.parse(document) as AttributeObject) };
}
