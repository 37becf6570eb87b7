import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { readPerson } from "./person-detail.ts";

/** What a deletion would take, what it waits for, and what stays. */
export interface ErasureStanding {
  userName: string;
  state: string;
  /** Connections that list the person still: at its next full read each brings them back, as somebody new. */
  listedBy: string[];
  /** Targets that have not been told yet that the person left. */
  untold: string[];
  /** Targets where the account is removed later, as their policy says. */
  removedLater: { target: string; at: Date }[];
  /** Plans that wait or are being applied, and name the person. */
  plans: number[];
  counts: {
    accounts: number;
    photos: number;
    sessions: number;
    tokens: number;
    planItems: number;
    importRows: number;
    events: number;
    reports: number;
  };
}

const LISTED =
  "select distinct c.name from accounts a join connections c on c.id = a.connection_id where a.person_id = $1 and a.gone_at is null order by 1";
const PROJECTIONS = `select c.name as target, p.remove_after as "removeAfter",
    p.state <> 'idle' or p.dirty_at is not null or p.delivered_state in ('present', 'attempted') as untold
  from projections p join connections c on c.id = p.connection_id where p.person_id = $1 order by 1`;
const OPEN_PLANS = `select distinct p.id from plans p join plan_items i on i.plan_id = p.id
  where p.state in ('staging', 'closed', 'held', 'approved', 'applying') and (i.subject_id = $1 or i.account_id in (select id from accounts where $1 in (person_id, former_person_id))) order by 1`;
const COUNTS = `select (select count(*)::int from accounts where $1 in (person_id, former_person_id)) as accounts,
  (select count(distinct person_id)::int from person_photos where person_id = $1) as photos,
  (select count(*)::int from sessions where person_id = $1) as sessions, (select count(*)::int from tokens where person_id = $1) as tokens,
  (select count(*)::int from plan_items where subject_id = $1) as "planItems",
  (select count(*)::int from people_import_rows where person_id = $1 and content is not null) as "importRows",
  (select count(*)::int from audit_events where subject_id = $1::uuid::text and subject_type = 'person') as events,
  (select count(*)::int from people where manager_id = $1 and state <> 'deleted') as reports`;

/** Throws `not_found`, for the deleted too. */
export async function erasureStanding(sql: Sql, personId: string): Promise<ErasureStanding> {
  const { userName, state } = await readPerson(sql, personId);
  const { rows: listed } = await sql.query<{ name: string }>(LISTED, [personId]);
  const { rows: projections } = await sql.query<{ target: string; removeAfter: Date | null; untold: boolean }>(PROJECTIONS, [personId]);
  const { rows: plans } = await sql.query<{ id: number }>(OPEN_PLANS, [personId]);
  const { rows: counts } = await sql.query<ErasureStanding["counts"]>(COUNTS, [personId]);
  const [count] = counts;
  if (!count) throw new Error("counting answered nothing");
  return {
    userName,
    state,
    listedBy: listed.map(({ name }) => name),
    untold: projections.filter(({ untold }) => untold).map(({ target }) => target),
    removedLater: projections.flatMap(({ target, removeAfter, untold }) =>
      removeAfter === null || untold ? [] : [{ target, at: removeAfter }],
    ),
    plans: plans.map(({ id }) => id),
    counts: count,
  };
}

/** Why somebody can't be deleted as they stand; empty = they can. `force` overrides all but plans. Pure. */
export function standsInTheWay({
  state,
  untold,
  plans,
}: Pick<ErasureStanding, "state" | "untold" | "plans">): { why: string; forcible: boolean }[] {
  return [
    ...(state === "deactivated" ? [] : [{ why: `The person is ${state}: deactivate them first.`, forcible: true }]),
    ...(untold.length === 0
      ? []
      : [{ why: `${untold.join(", ")} has not been told yet that the person left: wait for it.`, forcible: true }]),
    ...(plans.length === 0 ? [] : [{ why: `Plan ${plans.join(", ")} names the person: decide it first.`, forcible: false }]),
  ];
}

/** Throws `conflict` when something stands in the way. */
export function refuseErasure(standing: ErasureStanding, { force }: { force: boolean }): void {
  const ways = standsInTheWay(standing).filter(({ forcible }) => !forcible || !force);
  if (ways.length > 0) throw new AppError("conflict", ways.map(({ why }) => why).join(" "), { field: "person" });
}
