import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { groupsBelow } from "../directory/groups.ts";
import { markGroups, markPeople } from "../directory/outbox.ts";
import { closePeriods } from "../directory/periods.ts";
import { AppError } from "../errors.ts";
import { scheduleExpiry } from "./boundaries.ts";
import { evaluateConditionRules } from "./condition-rules.ts";
import { closeGrants, markHolders } from "./grant-rows.ts";
import { reconcileGroupRules } from "./group-rules.ts";
import { peopleOfNamed } from "./named-in-conditions.ts";

/** "rollcall group nesting" as a number for pg_advisory_xact_lock: two nestings at once could close a circle that neither sees. */
const NESTING_LOCK = 7_305_015;

/** Makes a local group. Rules that name it act at once. */
export async function createGroup(work: Work, { displayName }: { displayName: string }): Promise<string> {
  const { ctx, sql } = work;
  const id = randomUUID();
  await sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, $2, $3, $3)", [id, displayName, ctx.now()]);
  await recordEvent(work, { name: "group.created", subjectType: "group", subjectId: id, data: {} });
  await reconcileGroupRules(work, { groupIds: [id] });
  await markGroups(work, { groupIds: [id] });
  return id;
}

/** Renames a local group; rules go by names. Throws `not_found`, `conflict` for an origin's. */
export async function renameGroup(work: Work, { groupId, displayName }: { groupId: string; displayName: string }): Promise<void> {
  const { ctx, sql } = work;
  const group = await lockLocalGroup(sql, groupId);
  if (group.displayName === displayName) return;
  await sql.query("update groups set display_name = $2, version = version + 1, modified_at = $3 where id = $1", [
    groupId,
    displayName,
    ctx.now(),
  ]);
  await recordEvent(work, { name: "group.updated", subjectType: "group", subjectId: groupId, data: { changed: ["displayName"] } });
  await reconcileGroupRules(work, { groupIds: [groupId] });
  await evaluateConditionRules(work, { personIds: await peopleOfNamed(work, { groupIds: [groupId] }) });
  await followMembers(work, groupId);
}

/**
 * Deletes a local group: nobody is in it any more, and it is in no other. Throws `conflict` for an origin's, and while it holds grants,
 * unless told to revoke them.
 */
export async function deleteGroup(
  work: Work,
  { groupId, revoke, reason }: { groupId: string; revoke: boolean; reason: string },
): Promise<void> {
  const { ctx, sql } = work;
  const group = await lockLocalGroup(sql, groupId);
  const { rows: grants } = await sql.query<{ grant_id: string; source: string }>(
    "select grant_id, source from grants where group_id = $1 and recorded_to is null and (valid_to is null or valid_to > $2)",
    [groupId, ctx.now()],
  );
  const byHand = grants.filter(({ source }) => source !== "rule");
  if (byHand.length > 0 && !revoke)
    throw new AppError("conflict", `${group.displayName} holds ${byHand.length} grants: take them back first, or send \`revoke\`.`, {
      field: "revoke",
    });
  await closeGrants(work, { grantIds: grants.map(({ grant_id: id }) => id), reason });
  const { rows: members } = await sql.query<{ id: number; person_id: string }>(
    "select id, person_id from memberships where group_id = $1 and recorded_to is null and valid_to is null",
    [groupId],
  );
  const { rows: edges } = await sql.query<{ id: number }>(
    "select id from nestings where $1 in (parent_group_id, child_group_id) and recorded_to is null and valid_to is null",
    [groupId],
  );
  const personIds = await peopleOfNamed(work, { groupIds: [groupId] });
  await followMembers(work, groupId);
  await closePeriods(sql, {
    table: "memberships",
    ids: members.map(({ id }) => id),
    personIds: members.map((row) => row.person_id),
    at: ctx.now(),
  });
  await closePeriods(sql, { table: "nestings", ids: edges.map(({ id }) => id), at: ctx.now() });
  await sql.query("update groups set deleted_at = $2, modified_at = $2, version = version + 1 where id = $1", [groupId, ctx.now()]);
  await recordEvent(work, { name: "group.deleted", subjectType: "group", subjectId: groupId, reason, data: {} });
  await evaluateConditionRules(work, { personIds });
}

export interface MemberChanges {
  groupId: string;
  /** People and groups that come in and go out; who is in, or out, already stays. */
  add: { people: readonly string[]; groups: readonly string[] };
  remove: { people: readonly string[]; groups: readonly string[] };
  reason?: string | undefined;
}

/**
 * Changes the members of a local group. Returns how many came and went. Throws `not_found` for somebody who is not there, `conflict` for
 * an origin's group, `invalid` when a group would be in itself, over others too.
 */
export async function changeGroupMembers(work: Work, changes: MemberChanges): Promise<{ added: number; removed: number }> {
  const { ctx, sql } = work;
  const { groupId, add, remove } = changes;
  await lockLocalGroup(sql, groupId);
  await refuseCircle(work, { groupId, children: add.groups });
  const left = await closeMembers(work, changes);
  const joined = await openMembers(work, changes);
  const people = [...left.people, ...joined.people];
  const counts = { added: joined.people.length + joined.groups.length, removed: left.people.length + left.groups.length };
  if (counts.added + counts.removed === 0) return counts;
  await sql.query("update groups set version = version + 1, modified_at = $2 where id = $1", [groupId, ctx.now()]);
  await recordEvent(work, {
    name: "group.members_changed",
    subjectType: "group",
    subjectId: groupId,
    ...(changes.reason === undefined ? {} : { reason: changes.reason }),
    data: counts,
  });
  const below = await peopleOfNamed(work, { groupIds: [...left.groups, ...joined.groups] });
  await evaluateConditionRules(work, { personIds: [...people, ...below] });
  await markPeople(work, { personIds: people });
  await markGroups(work, { groupIds: [groupId] });
  await markHolders(
    work,
    [...add.groups, ...remove.groups].map((id) => ({ personId: null, groupId: id })),
  );
  await scheduleExpiry(work);
  return counts;
}

interface Changed {
  people: string[];
  groups: string[];
}

async function openMembers({ ctx, sql }: Work, { groupId, add }: MemberChanges): Promise<Changed> {
  const { rows: known } = await sql.query<{ id: string }>(
    `select id from people where id = any($1::uuid[]) and state <> 'deleted'
     union all select id from groups where id = any($2::uuid[]) and deleted_at is null`,
    [add.people, add.groups],
  );
  const missing = [...add.people, ...add.groups].find((id) => !known.some((each) => each.id === id));
  if (missing !== undefined) throw new AppError("not_found", `There is no person or group ${missing}.`, { field: "add" });
  const { rows: people } = await sql.query<{ id: string }>(
    `insert into memberships (group_id, person_id, valid_from, recorded_from)
     select $1, person_id, greatest($3, ended), greatest($3, ended) from (
       select asked.person_id, (select max(greatest(m.valid_to, m.recorded_to)) from memberships_ever m where m.group_id = $1 and m.person_id = asked.person_id) as ended
       from unnest($2::uuid[]) as asked (person_id)
       where not exists (select from memberships m where m.group_id = $1 and m.person_id = asked.person_id and m.recorded_to is null and m.valid_to is null)) each
     returning person_id as id`,
    [groupId, add.people, ctx.now()],
  );
  const { rows: groups } = await sql.query<{ id: string }>(
    `insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from)
     select $1, child_id, greatest($3, ended), greatest($3, ended) from (
       select asked.child_id, (select max(greatest(n.valid_to, n.recorded_to)) from nestings n where n.parent_group_id = $1 and n.child_group_id = asked.child_id) as ended
       from unnest($2::uuid[]) as asked (child_id)
       where not exists (select from nestings n where n.parent_group_id = $1 and n.child_group_id = asked.child_id and n.recorded_to is null and n.valid_to is null)) each
     returning child_group_id as id`,
    [groupId, add.groups, ctx.now()],
  );
  return { people: people.map(({ id }) => id), groups: groups.map(({ id }) => id) };
}

async function closeMembers({ ctx, sql }: Work, { groupId, remove }: MemberChanges): Promise<Changed> {
  const open = "recorded_to is null and valid_to is null";
  const { rows: people } = await sql.query<{ id: number; member: string }>(
    `select id, person_id as member from memberships where group_id = $1 and person_id = any($2::uuid[]) and ${open}`,
    [groupId, remove.people],
  );
  const { rows: groups } = await sql.query<{ id: number; member: string }>(
    `select id, child_group_id as member from nestings where parent_group_id = $1 and child_group_id = any($2::uuid[]) and ${open}`,
    [groupId, remove.groups],
  );
  const personIds = people.map(({ member }) => member);
  await closePeriods(sql, { table: "memberships", ids: people.map(({ id }) => id), personIds, at: ctx.now() });
  await closePeriods(sql, { table: "nestings", ids: groups.map(({ id }) => id), at: ctx.now() });
  const named = (rows: readonly { member: string }[]) => [...new Set(rows.map(({ member }) => member))];
  return { people: named(people), groups: named(groups) };
}

async function refuseCircle({ ctx, sql }: Work, { groupId, children }: { groupId: string; children: readonly string[] }): Promise<void> {
  if (children.length === 0) return;
  await sql.query("select pg_advisory_xact_lock($1)", [NESTING_LOCK]);
  const below = await groupsBelow(sql, { groupIds: children, at: ctx.now() });
  if (below.includes(groupId))
    throw new AppError("invalid", "add.groups: the group would be in itself, directly or through others.", { field: "add.groups" });
}

async function followMembers(work: Work, groupId: string): Promise<void> {
  await markHolders(work, [{ personId: null, groupId }]);
  await markGroups(work, { groupIds: [groupId] });
}

/** The group's row, locked. Throws `not_found`, and `conflict` naming the origin of one that is mastered elsewhere (invariant 9). */
async function lockLocalGroup(sql: Sql, groupId: string): Promise<{ displayName: string }> {
  const { rows } = await sql.query<{ displayName: string; originId: number | null }>(
    `select display_name::text as "displayName", origin_id as "originId" from groups where id = $1 and deleted_at is null for update`,
    [groupId],
  );
  const [group] = rows;
  if (!group) throw new AppError("not_found", `There is no group ${groupId}.`, { field: "group" });
  const { rows: origins } = await sql.query<{ name: string }>("select name from connections where id = $1", [group.originId]);
  const [origin] = origins;
  if (origin) throw new AppError("conflict", `${group.displayName} is mastered by ${origin.name}: change it there.`, { field: "origin" });
  return group;
}
