import { scheduleExpiry, scheduleJoinersExpiry } from "../../access/boundaries.ts";
import { evaluateConditionRules } from "../../access/condition-rules.ts";
import { peopleOfNamed } from "../../access/named-in-conditions.ts";
import { recordEvent } from "../../audit/record.ts";
import { markGroups, markPeople } from "../../directory/outbox.ts";
import { closePeriods } from "../../directory/periods.ts";
import { AppError } from "../../errors.ts";
import { UNVOUCHED } from "../known.ts";
import { unvouchedFor } from "../match.ts";
import type { Batch } from "./source.ts";
import { nestedFrom } from "./nested-from.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Members by our ids: people, or groups inside this one. */
export type MemberChange = { set: readonly string[] } | { add: readonly string[]; remove: readonly string[] };

/**
 * Changes a group's members as a request asks. Adding one member to a group of any size touches one row; who is in
 * already stays as is. Members that other connections put in are theirs to take out. Whom the client itself deleted is not there for it. Throws `invalid`
 * for who is not there, `conflict` for somebody who is not the client's and for whom nobody vouches.
 */
export async function changeMembers(batch: Batch, { groupId, change }: { groupId: string; change: MemberChange }): Promise<void> {
  const { work } = batch;
  const added = await addMembers(batch, { groupId, ids: "set" in change ? change.set : change.add });
  const removed = await removeMembers(batch, { groupId, change });
  if (added.length + removed.length === 0) return;
  // What this request has just made was not changed since: RFC 7643 section 3.1 has lastModified equal created then.
  await work.sql.query(
    `update groups set version = version + 1, modified_at = $2,
       created_at = case when xmin = pg_current_xact_id()::xid and created_at = modified_at then $2 else created_at end where id = $1`,
    [groupId, work.ctx.now()],
  );
  await recordEvent(work, {
    name: "group.members_changed",
    subjectType: "group",
    subjectId: groupId,
    data: { connection: batch.connection.name, added: added.length, removed: removed.length },
  });
  const idsOf = (of: (member: ChangedMember) => boolean) => [...added, ...removed].filter(of).map(({ id }) => id);
  const people = idsOf(({ nested }) => !nested);
  const below = await peopleOfNamed(work, { groupIds: idsOf(({ nested }) => nested) });
  await evaluateConditionRules(work, { personIds: [...people, ...below] });
  // A group that joins brings members who have been in it for a while.
  if (added.some(({ nested }) => nested)) await scheduleExpiry(work);
  else if (added.length > 0) await scheduleJoinersExpiry(work, { groupId });
  await markPeople(work, { personIds: people, seenAt: work.ctx.now() });
  await markGroups(work, { groupIds: [groupId], seenAt: work.ctx.now() });
}

/** Somebody, or a group, who joined or left. */
interface ChangedMember {
  id: string;
  nested: boolean;
}

async function addMembers(
  { work, connection }: Batch,
  { groupId, ids }: { groupId: string; ids: readonly string[] },
): Promise<ChangedMember[]> {
  if (ids.length === 0) return [];
  const malformed = ids.find((id) => !UUID.test(id));
  if (malformed !== undefined) throw unknownMember(malformed);
  // Accounts are locked against a DELETE of theirs: one that is under way is waited for, and seen; one that comes later finds the membership.
  const { rows } = await work.sql.query<ChangedMember & { opened: boolean; found: boolean; unvouched: string[] }>(
    `with asked as (select distinct id from unnest($2::uuid[]) as id),
      own as materialized (select a.native_id::uuid as id, a.id as account_id, a.gone_at, a.person_id from accounts a
        where a.connection_id = $3 and a.kind = 'user' and a.native_id = any($2::text[]) for key share),
      person as (select p.id, case when exists (select from own where own.id = p.id and own.person_id = p.id) then '{}' else ${UNVOUCHED} end as unvouched from asked join people p using (id) where p.state <> 'deleted'
        and not exists (select from own where own.id = p.id and own.gone_at is not null)),
      child as (select g.id from asked join groups g using (id) where g.deleted_at is null and g.id <> $1),
      opened as (insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
        select $1, p.id, $3::int, own.account_id, $4::timestamptz, $4::timestamptz from person p left join own on own.id = p.id
        on conflict do nothing returning person_id as id),
      nested as (insert into nestings (parent_group_id, child_group_id, connection_id, valid_from, recorded_from)
        select $1, c.id, $3::int, began.at, began.at from child c ${nestedFrom({ parent: "$1", child: "c.id", connection: "$3::int", at: "$4::timestamptz" })}
         where not exists (select from nestings n where n.parent_group_id = $1 and n.child_group_id = c.id and coalesce(n.connection_id, 0) = $3 and n.recorded_to is null and n.valid_to is null)
        returning child_group_id as id)
    select asked.id, nested.id is not null as nested, opened.id is not null or nested.id is not null as opened, person.id is not null or child.id is not null as found,
      case when opened.id is null then '{}' else person.unvouched end as unvouched
      from asked left join person using (id) left join child using (id) left join opened using (id) left join nested using (id)`,
    [groupId, ids, connection.id, work.ctx.now()],
  );
  const unknown = rows.find((row) => !row.found);
  if (unknown?.id === groupId) throw refusedMember("a group can't be a member of itself");
  if (unknown) throw unknownMember(unknown.id);
  // The client has the id from a search: by the same word it would not come by them either. Who is in already stays.
  const stranger = rows.find(({ unvouched }) => unvouched.length > 0);
  if (stranger) throw unvouchedFor({ personId: stranger.id, keys: stranger.unvouched });
  return rows.filter((row) => row.opened);
}

function unknownMember(id: string): AppError {
  return refusedMember(`there is no user or group ${id}`);
}

function refusedMember(what: string): AppError {
  return new AppError("invalid", `members: ${what}.`, { field: "members.value", scimType: "invalidValue" });
}

async function removeMembers(
  { work, connection }: Batch,
  { groupId, change }: { groupId: string; change: MemberChange },
): Promise<ChangedMember[]> {
  const whole = "set" in change;
  const ids = (whole ? change.set : change.remove).filter((id) => UUID.test(id));
  if (!whole && ids.length === 0) return [];
  const among = (column: string) => (whole ? `not (${column} = any($2::uuid[]))` : `${column} = any($2::uuid[])`);
  const open = "connection_id = $3 and recorded_to is null and valid_to is null";
  const values = [groupId, ids, connection.id];
  const { rows: people } = await work.sql.query<{ id: number; member: string }>(
    `select id, person_id as member from memberships where group_id = $1 and ${open} and ${among("person_id")}`,
    values,
  );
  const { rows: groups } = await work.sql.query<{ id: number; member: string }>(
    `select id, child_group_id as member from nestings where parent_group_id = $1 and ${open} and ${among("child_group_id")}`,
    values,
  );
  const personIds = people.map(({ member }) => member);
  await closePeriods(work.sql, { table: "memberships", ids: people.map((row) => row.id), personIds, at: work.ctx.now() });
  await closePeriods(work.sql, { table: "nestings", ids: groups.map((row) => row.id), at: work.ctx.now() });
  return [...people.map(({ member }) => ({ id: member, nested: false })), ...groups.map(({ member }) => ({ id: member, nested: true }))];
}
