import type { Sql } from "../db/database.ts";
import type { Item } from "./records.ts";

export interface GroupMembers {
  nativeId: string;
  /** The group's id, when it is known already. */
  groupId: string | null;
  /** References of all members. */
  set: readonly string[];
}

/**
 * The difference between the members read and those known, as rows of the plan. Members are compared as accounts, not
 * by name: somebody renamed at the source stays the same member, and who is new in this plan is found by reference when it is applied. Known are open rows that this connection opened, and
 * references that still wait.
 */
const DIFFERENCE = `
  with read as (select distinct g.native_id, g.group_id, m.reference
      from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)
      join unnest($5::text[], $6::text[]) as m(native_id, reference) using (native_id)),
  asked as (select distinct reference from read where group_id is not null),
  resolved as (
    select r.reference, coalesce(s.account_id, a.id) as account_id
      from asked r
      left join lateral (select account_id, true as staged from plan_items i where i.plan_id = $1 and i.reference = r.reference and i.account_id is not null and i.kind in ('user', 'group') limit 1) s on true
      left join lateral (
        select id from accounts a
         where s.staged is null and a.connection_id = $2 and a.reference = r.reference and a.kind in ('user', 'group') and a.gone_at is null
           and not exists (select from plan_items i where i.plan_id = $1 and i.kind = a.kind and i.native_id = a.native_id and i.reference is distinct from a.reference)
         limit 1) a on true),
  known as (
    select g.native_id, m.account_id, null::text as reference
      from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)
      join memberships m on m.group_id = g.group_id and m.connection_id = $2 and m.recorded_to is null and m.valid_to is null
    union all
    select g.native_id, n.account_id, null
      from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)
      join nestings n on n.parent_group_id = g.group_id and n.connection_id = $2 and n.recorded_to is null and n.valid_to is null
    union all
    select g.native_id, null, p.reference
      from unnest($3::text[], $4::uuid[]) as g(native_id, group_id)
      join accounts a on a.connection_id = $2 and a.kind = 'group' and a.native_id = g.native_id
      join pending_references p on p.account_id = a.id and p.kind = 'member'),
  wanted as (select r.native_id, r.reference, s.account_id from read r left join resolved s using (reference)),
  difference as (
    select w.native_id, 'add' as op, w.reference, w.account_id from wanted w
     where not exists (select from known k where k.native_id = w.native_id and k.account_id = w.account_id)
       and not (w.account_id is null and exists (select from known k where k.native_id = w.native_id and k.reference = w.reference))
    union all
    select k.native_id, 'remove', k.reference, k.account_id from known k
     where not exists (select from wanted w where w.native_id = k.native_id and (w.account_id = k.account_id or (k.account_id is null and w.reference = k.reference and w.account_id is null)))),
  staged as (
    insert into plan_members (plan_id, group_native_id, op, reference, account_id, seq)
    select $1, native_id, op, reference, account_id, row_number() over (partition by native_id) from difference
    returning group_native_id, op)
  select group_native_id as "nativeId", count(*) filter (where op = 'add')::int as add, count(*) filter (where op = 'remove')::int as remove
    from staged group by group_native_id`;

/** Stages member changes and writes their counts into the groups' items. */
export async function stageMembers(
  sql: Sql,
  {
    planId,
    connectionId,
    groups,
    items,
  }: { planId: number; connectionId: number; groups: readonly GroupMembers[]; items: readonly Item[] },
): Promise<void> {
  if (groups.length === 0) return;
  const { rows } = await sql.query<{ nativeId: string; add: number; remove: number }>({
    name: "sync_stage_members",
    text: DIFFERENCE,
    values: [
      planId,
      connectionId,
      groups.map(({ nativeId }) => nativeId),
      groups.map(({ groupId }) => groupId),
      groups.flatMap(({ nativeId, set }) => set.map(() => nativeId)),
      groups.flatMap(({ set }) => set),
    ],
  });
  const changes = new Map(rows.map((row) => [row.nativeId, row]));
  for (const item of items) {
    const change = changes.get(item.nativeId);
    if (item.payload.members && change) Object.assign(item.payload.members, { add: change.add, remove: change.remove });
  }
}
