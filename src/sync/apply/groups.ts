import { peopleOfNamed } from "../../access/named-in-conditions.ts";
import { closePeriods } from "../../directory/periods.ts";
import { awaitReturn, isRun } from "./leavers.ts";
import { step, type Batch } from "./source.ts";
import { nestedFrom } from "./nested-from.ts";

/** Makes, changes and removes groups. */
export async function storeGroups(batch: Batch): Promise<void> {
  const now = batch.work.ctx.now();
  await step(batch, {
    name: "store_groups",
    text: `insert into groups (id, display_name, external_id, attributes, origin_id, created_at, modified_at)
        select i.subject_id, i.payload->'group'->>'displayName', i.payload->'group'->>'externalId', i.payload->'group'->'attributes', $4, $5, $5
          from item i where i.payload ? 'group'
        on conflict (id) do update set display_name = excluded.display_name, external_id = excluded.external_id, attributes = excluded.attributes,
          version = groups.version + 1, modified_at = $5, deleted_at = null`,
    values: [batch.connection.id, now],
  });
  await step(batch, {
    name: "remove_groups",
    text: `update groups g set deleted_at = $4, modified_at = $4, version = g.version + 1 from item i where g.id = i.subject_id and i.action = 'delete' and g.deleted_at is null`,
    values: [now],
  });
}

/** A group that is gone has no members, and is in no other group. Returns the people who were in it, through others too where conditions ask for groups. */
export async function emptyRemovedGroups(batch: Batch): Promise<string[]> {
  const { work } = batch;
  const members = await step<{ id: number; person_id: string }>(batch, {
    name: "removed_memberships",
    text: `select m.id, m.person_id from item i join memberships m on m.group_id = i.subject_id and m.recorded_to is null and m.valid_to is null where i.action = 'delete'`,
  });
  const edges = await step<{ id: number; below: boolean; child_id: string }>(batch, {
    name: "removed_nestings",
    text: `select n.id, i.subject_id = n.child_group_id as below, n.child_group_id as child_id from item i join nestings n on i.subject_id in (n.parent_group_id, n.child_group_id) and n.recorded_to is null and n.valid_to is null where i.action = 'delete'`,
  });
  await closePeriods(work.sql, { table: "memberships", ...idsOf(members), at: work.ctx.now() });
  await closePeriods(work.sql, { table: "nestings", ids: edges.map((row) => row.id), at: work.ctx.now() });
  await step(batch, {
    name: "removed_forget",
    text: `delete from pending_references w using item i where i.action = 'delete' and w.account_id = i.account_id`,
  });
  const below = edges.filter((edge) => edge.below).map(({ id }) => id);
  if (isRun(batch)) await awaitReturn(batch, { table: "nestings", ids: below });
  const within = await peopleOfNamed(work, { groupIds: edges.filter((edge) => !edge.below).map((edge) => edge.child_id) });
  return [...members.map((row) => row.person_id), ...within];
}

function idsOf(rows: readonly { id: number; person_id: string }[]): { ids: number[]; personIds: string[] } {
  return { ids: rows.map((row) => row.id), personIds: rows.map((row) => row.person_id) };
}

// Group by group: left to itself, the planner reads the members of the whole plan for each batch.
const CHANGES = `change as (select i.group_id, i.group_account_id, m.op, m.reference, m.account_id
    from (select i.plan_id, i.native_id, i.subject_id as group_id, a.id as group_account_id from item i
      join accounts a on a.connection_id = $4 and a.kind = 'group' and a.native_id = i.native_id offset 0) i
    cross join lateral (select op, reference, account_id from plan_members where plan_id = i.plan_id and group_native_id = i.native_id offset 0) m)`;

/**
 * The member's account: as resolved by the plan, else by reference now that people are applied. That holds for leavers too:
 * a reference that still waited when the plan was made may have been resolved by the people of this very plan.
 */
const MEMBER = `left join lateral (
    select a.id, a.kind, a.person_id, a.group_id from accounts a where c.account_id is not null and a.id = c.account_id and a.gone_at is null
    union all
    select a.id, a.kind, a.person_id, a.group_id from accounts a
     where c.account_id is null and a.connection_id = $4 and a.reference = c.reference and a.kind in ('user', 'group') and a.gone_at is null
    limit 1) member on true`;

/**
 * Changes members as sets: leavers' rows are closed by the connection that opened them, joiners' rows are opened, and
 * references to nobody known wait. Returns the people concerned.
 */
export async function storeMembers(batch: Batch, { removals }: { removals: boolean }): Promise<string[]> {
  const left = removals ? await closeMembers(batch) : NOBODY;
  const joined = await openMembers(batch);
  const below = await peopleOfNamed(batch.work, { groupIds: [...left.groups, ...joined.groups] });
  return [...left.people, ...joined.people, ...below];
}

/** Who came or went: people, and groups with all who are in them. */
interface Changed {
  people: string[];
  groups: string[];
}
const NOBODY: Changed = { people: [], groups: [] };

async function closeMembers(batch: Batch): Promise<Changed> {
  const { work, connection } = batch;
  const now = work.ctx.now();
  const left = await step<{ id: number; person_id: string }>(batch, {
    name: "members_left",
    text: `, ${CHANGES} select m.id, m.person_id from (select * from change where op = 'remove' offset 0) c ${MEMBER} join memberships m on m.group_id = c.group_id and m.account_id = member.id and m.connection_id = $4
        and m.recorded_to is null and m.valid_to is null`,
    values: [connection.id],
  });
  const unnested = await step<{ id: number; child_id: string }>(batch, {
    name: "nestings_left",
    text: `, ${CHANGES} select n.id, n.child_group_id as child_id from (select * from change where op = 'remove' offset 0) c ${MEMBER} join nestings n on n.parent_group_id = c.group_id and n.account_id = member.id and n.connection_id = $4
        and n.recorded_to is null and n.valid_to is null`,
    values: [connection.id],
  });
  await closePeriods(work.sql, { table: "memberships", ...idsOf(left), at: now });
  await closePeriods(work.sql, { table: "nestings", ids: unnested.map((row) => row.id), at: now });
  await step(batch, {
    name: "members_forget",
    text: `, ${CHANGES} delete from pending_references w using change c left join accounts a on a.id = c.account_id
        where c.op = 'remove' and w.kind = 'member' and w.account_id = c.group_account_id and w.reference in (c.reference, a.reference)`,
    values: [connection.id],
  });
  return { people: left.map((row) => row.person_id), groups: unnested.map((row) => row.child_id) };
}

async function openMembers(batch: Batch): Promise<Changed> {
  const { work, connection } = batch;
  const joined = await step<{ person_id: string | null; child_id: string | null }>(batch, {
    name: "members_joined",
    text: `, ${CHANGES}, joiner as materialized (select c.group_id, c.group_account_id, c.reference, member.id, member.kind, member.person_id, member.group_id as child_id from change c ${MEMBER} where c.op = 'add'),
      opened as (insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
        select j.group_id, j.person_id, $4::int, j.id, $5::timestamptz, $5::timestamptz from joiner j where j.kind = 'user' and j.person_id is not null
        on conflict do nothing returning person_id),
      nested as (insert into nestings (parent_group_id, child_group_id, connection_id, account_id, valid_from, recorded_from)
        select distinct j.group_id, j.child_id, $4::int, j.id, began.at, began.at
          from joiner j ${nestedFrom({ parent: "j.group_id", child: "j.child_id", connection: "$4::int", at: "$5::timestamptz" })} where j.kind = 'group' and j.child_id is not null and j.child_id <> j.group_id
          and not exists (select from nestings n where n.parent_group_id = j.group_id and n.child_group_id = j.child_id and n.connection_id = $4 and n.recorded_to is null and n.valid_to is null)
        returning child_group_id),
      waiting as (insert into pending_references (connection_id, kind, account_id, reference, since)
        select $4::int, 'member', j.group_account_id, j.reference, $5::timestamptz from joiner j where j.reference is not null and coalesce(j.person_id, j.child_id) is null
        on conflict do nothing)
      select person_id, null::uuid as child_id from opened union all select null, child_group_id from nested`,
    values: [connection.id, work.ctx.now()],
  });
  return { people: joined.flatMap((row) => row.person_id ?? []), groups: joined.flatMap((row) => row.child_id ?? []) };
}
