import type { Kind, Source } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { Run } from "./begin.ts";
import { fingerprint } from "./fingerprint.ts";
import { withReference } from "./pull.ts";
import { kindsOf, stageChanged } from "./read.ts";
import type { Changed } from "./stage.ts";
import { unfinishedBefore } from "./unfinished.ts";

/**
 * Names that another has from this plan ($1) on than the one of its connection ($2) who had them before, renamed or gone: a distinguished
 * name, most often. Item by item: left to itself, the planner reads all accounts.
 */
const PASSED = `passed as (
    select i.reference, y.id as account_id, y.person_id, y.group_id, y.unit_id
      from (select kind, native_id, reference, subject_id from plan_items where plan_id = $1 and reference is not null and action <> 'delete'
              and exists (select from accounts where connection_id = $2) offset 0) i
      cross join lateral (select * from accounts where connection_id = $2 and reference = i.reference offset 0) y
     where (y.kind, y.native_id) <> (i.kind, i.native_id) and coalesce(y.person_id, y.group_id, y.unit_id) is distinct from i.subject_id)`;

/**
 * Groups, people and units of the connection that may name such a one and that the plan says nothing of; and groups of who loses one of
 * several accounts: one membership stands for all of them. And groups of the plan that were read before the groups whose names they use.
 */
const NAMING = `with ${PASSED},
  naming as (
    select g.id from passed p join memberships m on m.person_id = p.person_id and m.account_id = p.account_id and m.recorded_to is null and m.valid_to is null
      join accounts g on g.group_id = m.group_id and g.connection_id = $2 and g.kind = 'group'
    union select g.id from passed p join nestings n on n.child_group_id = p.group_id and n.account_id = p.account_id and n.recorded_to is null and n.valid_to is null
      join accounts g on g.group_id = n.parent_group_id and g.connection_id = $2 and g.kind = 'group'
    union select w.account_id from passed p join pending_references w on w.connection_id = $2 and w.reference = p.reference
    union select a.id from passed p join people s on s.manager_id = p.person_id
      join accounts a on a.person_id = s.id and a.connection_id = $2 and a.mapped->>'manager' = p.reference
    union select a.id from passed p join person_units u on u.unit_id = p.unit_id and u.connection_id = $2 and u.recorded_to is null and u.valid_to is null
      join accounts a on a.person_id = u.person_id and a.connection_id = $2
    union select g.id from plan_items i join accounts y on y.id = i.account_id
        join lateral (select from accounts o where o.person_id = y.person_id and o.connection_id = $2 and o.id <> y.id and o.gone_at is null limit 1) other on true
        join memberships m on m.person_id = y.person_id and m.account_id = y.id and m.recorded_to is null and m.valid_to is null
        join accounts g on g.group_id = m.group_id and g.connection_id = $2 and g.kind = 'group'
       where i.plan_id = $1 and i.kind = 'user' and i.action = 'delete'
    union select a.id from passed p join units c on c.parent_id = p.unit_id join accounts a on a.unit_id = c.id and a.connection_id = $2),
  early as (
    select g.id from passed p join nestings n on n.child_group_id = p.group_id and n.account_id = p.account_id and n.recorded_to is null and n.valid_to is null
      join accounts g on g.group_id = n.parent_group_id and g.connection_id = $2 and g.kind = 'group'
    union select g.id from passed p join plan_members m on m.plan_id = $1 and m.op = 'add' and m.account_id = p.account_id
      join accounts g on g.connection_id = $2 and g.kind = 'group' and g.native_id = m.group_native_id where p.group_id is not null)
  select a.kind, a.native_id as "nativeId" from naming join accounts a using (id)
   where a.gone_at is null and not exists (select from plan_items i where i.plan_id = $1 and i.kind = a.kind and i.native_id = a.native_id)
  union select a.kind, a.native_id from early join accounts a using (id)
    join plan_items i on i.plan_id = $1 and i.kind = a.kind and i.native_id = a.native_id and i.action <> 'delete' where a.gone_at is null
   order by 1, 2`;

/**
 * Whom a name means is settled when the record that uses it is taken in. Where a name passes on, that record says the same as before
 * and means another, or it was changed by the system itself without a word (slapd's refint): so it is read again. A newcomer would
 * otherwise inherit the groups of whoever had the name before.
 */
export async function readWhoNamesPassedOn(run: Run, source: Source): Promise<void> {
  if (run.before.accounts.size === 0) return;
  const { rows } = await run.db.pool.query<{ kind: Kind; nativeId: string }>({
    name: "sync_naming_passed_on",
    text: NAMING,
    values: [run.planId, run.connection.id],
  });
  const named = [...rows, ...(await leftUnapplied(run))];
  const toRead = kindsOf(run, source).flatMap((kind) => {
    const ids = new Set(named.filter((one) => one.kind === kind).map(({ nativeId }) => nativeId));
    return portionsOf([...ids]).map((nativeIds) => ({ kind, nativeIds }));
  });
  const total = toRead.reduce((sum, { nativeIds }) => sum + nativeIds.length, 0);
  let done = 0;
  for (const { kind, nativeIds } of toRead) {
    const changed: Changed[] = [];
    for (const nativeId of nativeIds) {
      run.ctx.signal.throwIfAborted();
      const record = await source.readOne(kind, nativeId);
      if (record !== "gone" && !record.outOfScope)
        changed.push({ record: withReference(record), hash: fingerprint(record).toString("hex") });
      // None may be left for later, and many may be named when much is renamed: whoever watches sees that it goes on.
      run.onProgress({ stage: "sweep", done: (done += 1), total });
    }
    await stageChanged(run, changed);
  }
}

/** Records that are decided about together: groups come with all their members. */
const PORTION = 50;

function portionsOf(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / PORTION) }, (_, index) => ids.slice(index * PORTION, (index + 1) * PORTION));
}

/** What earlier plans were to take in anew though it had not changed, and never came to: those names have passed on already. */
async function leftUnapplied({ db, planId, connection }: Run): Promise<{ kind: Kind; nativeId: string }[]> {
  const unfinished = await unfinishedBefore(db.pool, { planId, connectionId: connection.id });
  if (unfinished.length === 0) return [];
  const { rows } = await db.pool.query<{ kind: Kind; nativeId: string }>(
    `select distinct i.kind, i.native_id as "nativeId" from plan_items i
       join accounts a on a.connection_id = $1 and a.kind = i.kind and a.native_id = i.native_id and a.gone_at is null
      where i.plan_id = any($2) and i.action <> 'delete'
        and not exists (select from plan_batches b where b.plan_id = i.plan_id and b.kind = i.kind and i.seq between b.first_seq and b.last_seq)
        and not exists (select from plan_items n where n.plan_id = $3 and n.kind = i.kind and n.native_id = i.native_id)
      order by 1, 2`,
    [connection.id, unfinished.map(({ id }) => id), planId],
  );
  return rows;
}

/** A name that passes on, and whom it meant until then. */
export interface PassedOn {
  reference: string;
  personId: string;
}

/** Asked before a plan is applied: afterwards nobody knows who had the name. */
export async function namesPassedOn(
  sql: Sql,
  { planId, connectionId }: { planId: number; connectionId: number },
): Promise<readonly PassedOn[]> {
  const { rows } = await sql.query<PassedOn>({
    name: "sync_names_passed_on",
    text: `with ${PASSED} select distinct reference, person_id as "personId" from passed where person_id is not null`,
    values: [planId, connectionId],
  });
  return rows;
}

/**
 * Who was applied before the name had passed on, or says the same as ever, waits for it anew: whoever has it now is found with all
 * others that came late (see settleLateArrivals). Only of records that these plans have read, and where nobody stronger names a manager.
 */
export async function awaitPassedOn(
  sql: Sql,
  { planIds, connectionId, passed, at }: { planIds: readonly number[]; connectionId: number; passed: readonly PassedOn[]; at: Date },
): Promise<void> {
  if (passed.length === 0) return;
  await sql.query(
    `insert into pending_references (connection_id, kind, account_id, reference, since)
     select $2::int, 'manager', a.id, p.reference, $5::timestamptz
       from unnest($3::text[], $4::uuid[]) as p(reference, person_id) join people s on s.manager_id = p.person_id
       join accounts a on a.person_id = s.id and a.connection_id = $2 and a.gone_at is null and a.mapped->>'manager' = p.reference
       join plan_items i on i.plan_id = any($1) and i.kind = a.kind and i.native_id = a.native_id
      where coalesce(s.mastery->>'manager', s.mastery->>'*')::int = $2
     on conflict do nothing`,
    [planIds, connectionId, passed.map(({ reference }) => reference), passed.map(({ personId }) => personId), at],
  );
}
