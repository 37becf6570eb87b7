import type { SourceRecord } from "../../connectors/contract.ts";
import type { Run } from "./begin.ts";
import { unstageMembers } from "./plan.ts";
import type { Item } from "./records.ts";
import type { Changed } from "./stage.ts";

/** Accounts that the references mean, those staged in this very plan under their new names included. */
const RESOLVED = `resolved as (
    select r.reference, coalesce(s.account_id, a.id) as account_id
      from asked r
      left join lateral (select account_id, true as staged from plan_items i where i.plan_id = $1 and i.reference = r.reference and i.account_id is not null and i.kind in ('user', 'group') limit 1) s on true
      left join lateral (
        select id from accounts a
         where s.staged is null and a.connection_id = $2 and a.reference = r.reference and a.kind in ('user', 'group') and a.gone_at is null
           and not exists (select from plan_items i where i.plan_id = $1 and i.kind = a.kind and i.native_id = a.native_id and i.reference is distinct from a.reference)
         limit 1) a on true)`;

/** Who is in the groups: open rows that this connection opened, and references that still wait. */
const KNOWN = `known as (
    select g.native_id, m.account_id, null::text as reference
      from groups g join memberships m on m.group_id = g.group_id and m.connection_id = $2 and m.recorded_to is null and m.valid_to is null
    union all
    select g.native_id, n.account_id, null
      from groups g join nestings n on n.parent_group_id = g.group_id and n.connection_id = $2 and n.recorded_to is null and n.valid_to is null
    union all
    select g.native_id, null, p.reference
      from groups g
      join accounts a on a.connection_id = $2 and a.kind = 'group' and a.native_id = g.native_id
      join pending_references p on p.account_id = a.id and p.kind = 'member')`;

/**
 * The difference between the members read and those known, as rows of the plan. Members are compared as accounts, not
 * by name: somebody renamed at the source stays the same member, and who is new in this plan is found by reference
 * when it is applied. They are grouped rather than asked for one by one: how many there are is not known to the planner, which
 * would compare each member of a large group with every other.
 */
const DIFFERENCE = `
  with groups as (select * from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)),
  read as (select distinct g.native_id, g.group_id, m.reference from groups g join unnest($5::text[], $6::text[]) as m(native_id, reference) using (native_id)),
  asked as (select distinct reference from read where group_id is not null),
  ${RESOLVED},
  ${KNOWN},
  wanted as (select r.native_id, r.reference, s.account_id from read r left join resolved s using (reference)),
  difference as (
    select native_id, case when bool_or(is_wanted) then 'add' else 'remove' end as op, min(reference) as reference, account_id
      from (select native_id, reference, account_id, true as is_wanted from wanted union all select native_id, reference, account_id, false from known) each
     group by native_id, account_id, case when account_id is null then reference end
    having bool_and(is_wanted) or not bool_or(is_wanted))
  insert into plan_members (plan_id, group_native_id, op, reference, account_id, seq)
  select $1, native_id, op, reference, account_id, row_number() over (partition by native_id) from difference`;

/** Members as changes, on top of what the plan holds for the group already: who joins after having left in the same read stays, and the other way round. */
const CHANGES = `
  with groups as (select * from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)),
  change as (select distinct g.native_id, g.group_id, m.op, m.reference from groups g join unnest($5::text[], $6::text[], $7::text[]) as m(native_id, reference, op) using (native_id)),
  asked as (select distinct reference from change where group_id is not null),
  ${RESOLVED},
  ${KNOWN},
  wanted as (select c.*, s.account_id from change c left join resolved s using (reference)),
  taken_back as (
    delete from plan_members p using wanted w
     where p.plan_id = $1 and p.group_native_id = w.native_id and p.op <> w.op and (p.reference = w.reference or p.account_id = w.account_id)),
  difference as (
    select w.native_id, w.op, w.reference, w.account_id from wanted w
     where (w.op = 'add') <> exists (select from known k where k.native_id = w.native_id and (k.account_id = w.account_id or (k.account_id is null and k.reference = w.reference)))
       and not exists (select from plan_members p where p.plan_id = $1 and p.group_native_id = w.native_id and p.op = w.op and (p.reference = w.reference or p.account_id = w.account_id)))
  insert into plan_members (plan_id, group_native_id, op, reference, account_id, seq)
  select $1, d.native_id, d.op, d.reference, d.account_id,
      coalesce((select max(p.seq) from plan_members p where p.plan_id = $1 and p.group_native_id = d.native_id), 0) + row_number() over (partition by d.native_id)
    from difference d`;

const COUNTS = `
  select group_native_id as "nativeId", count(*) filter (where op = 'add')::int as add, count(*) filter (where op = 'remove')::int as remove
    from plan_members where plan_id = $1 and group_native_id = any($2::text[]) group by group_native_id`;

type Members = NonNullable<SourceRecord["members"]>;

interface GroupMembers<M extends Members> {
  nativeId: string;
  /** The group's id, when it is known already. */
  groupId: string | null;
  members: M;
}

/** Stages the member changes of these groups, and writes how many there are into the groups' items. */
export async function stageGroupMembers(run: Run, changed: readonly Changed[], items: readonly Item[]): Promise<void> {
  const sql = run.db.pool;
  const { planId } = run;
  const byId = new Map(items.map((item) => [item.nativeId, item]));
  const sets: GroupMembers<Extract<Members, { set: unknown }>>[] = [];
  const changes: GroupMembers<Exclude<Members, { set: unknown }>>[] = [];
  for (const { record } of changed) {
    const item = byId.get(record.nativeId);
    if (!item || item.action === "delete" || !record.members) continue;
    const group = { nativeId: record.nativeId, groupId: item.action === "create" ? null : item.subjectId };
    if ("set" in record.members) sets.push({ ...group, members: record.members });
    else changes.push({ ...group, members: record.members });
  }
  // A whole list counts as it was read last; changes, and a record that says nothing of members, leave what was read of them before.
  const anew = [
    ...sets.map(({ nativeId }) => nativeId),
    ...items.filter(({ action }) => action === "delete").map(({ nativeId }) => nativeId),
  ];
  if (anew.length > 0) await unstageMembers(sql, { planId, nativeIds: anew });
  if (sets.length > 0) await stageSets(run, sets);
  if (changes.length > 0) await stageChanges(run, changes);
  const { rows } = await sql.query<{ nativeId: string; add: number; remove: number }>({
    name: "sync_count_members",
    text: COUNTS,
    values: [planId, items.map(({ nativeId }) => nativeId)],
  });
  for (const { nativeId, add, remove } of rows) {
    const item = byId.get(nativeId);
    if (item) item.payload.members = { ...item.payload.members, add, remove };
    if (remove > 0) run.seen.membersLeave = true;
  }
}

async function stageSets(
  { db, planId, connection }: Run,
  groups: readonly GroupMembers<Extract<Members, { set: unknown }>>[],
): Promise<void> {
  await db.pool.query({
    name: "sync_stage_members",
    text: DIFFERENCE,
    values: [
      planId,
      connection.id,
      groups.map(({ nativeId }) => nativeId),
      groups.map(({ groupId }) => groupId),
      groups.flatMap(({ nativeId, members }) => members.set.map(() => nativeId)),
      groups.flatMap(({ members }) => members.set),
    ],
  });
}

async function stageChanges(
  { db, planId, connection }: Run,
  groups: readonly GroupMembers<Exclude<Members, { set: unknown }>>[],
): Promise<void> {
  const rows = groups.flatMap(({ nativeId, members: { add, remove } }) => [
    ...add.map((reference) => ({ nativeId, reference, op: "add" })),
    ...remove.filter((reference) => !add.includes(reference)).map((reference) => ({ nativeId, reference, op: "remove" })),
  ]);
  await db.pool.query({
    name: "sync_stage_member_changes",
    text: CHANGES,
    values: [
      planId,
      connection.id,
      groups.map(({ nativeId }) => nativeId),
      groups.map(({ groupId }) => groupId),
      rows.map(({ nativeId }) => nativeId),
      rows.map(({ reference }) => reference),
      rows.map(({ op }) => op),
    ],
  });
}
