import type { Sql } from "../db/database.ts";
import { COUNTED_ACTION } from "./records.ts";

/** What people who stay lose by the plan: memberships, those by way of a group in a group included, or what conditions of rules give. */
export interface LostFacts {
  lost: number;
  /** The same, of plans that nobody had to approve, within the window. */
  recent: number;
  /** How many there are before the plan: in the connection's groups, or of the people whom it lists. */
  known: number;
}

/** How guards count what is lost. */
export type LostAction = "member" | "match";

/**
 * Who stops being in which group: members who leave, members of groups that go, and all who are in a group that leaves another or goes.
 * Not who leaves or is disabled by the same plan, whom the guards of people count; nor who is out already, or comes in again by another way.
 */
const LOST = `
  with recursive
  leaving as materialized (
    select i.subject_id as person_id from plan_items i where i.plan_id = $1 and i.kind = 'user' and i.subject_id is not null and ${COUNTED_ACTION} in ('disable', 'delete')),
  going as materialized (select subject_id as group_id from plan_items where plan_id = $1 and kind = 'group' and action = 'delete' and subject_id is not null),
  change as materialized (
    select m.op, g.group_id, a.person_id, a.group_id as child_id
      from plan_members m join accounts g on g.connection_id = $2 and g.kind = 'group' and g.native_id = m.group_native_id join accounts a on a.id = m.account_id
     where m.plan_id = $1 and g.group_id is not null),
  edge (parent_id, child_id) as (
    select group_id, child_id from change where op = 'remove' and child_id is not null
    union
    select n.parent_group_id, n.child_group_id from going join nestings n on going.group_id in (n.parent_group_id, n.child_group_id) and n.recorded_to is null and n.valid_to is null),
  below (group_id, within_id) as (
    select parent_id, child_id from edge
    union
    select below.group_id, n.child_group_id from below join nestings n on n.parent_group_id = below.within_id and n.recorded_to is null and n.valid_to is null),
  lost as (
    select group_id, person_id from change where op = 'remove' and person_id is not null
    union
    select m.group_id, m.person_id from going join memberships m on m.group_id = going.group_id and m.recorded_to is null and m.valid_to is null
    union
    select below.group_id, m.person_id from below join memberships m on m.group_id = below.within_id and m.recorded_to is null and m.valid_to is null)
  select count(*)::int as lost from lost join people p on p.id = lost.person_id
   where p.state not in ('suspended', 'deactivated', 'deleted') and lost.person_id not in (select person_id from leaving)
     and not exists (select from change c where c.op = 'add' and c.group_id = lost.group_id and c.person_id = lost.person_id)`;

/** Counts a plan that ends memberships. What there are besides is asked only when some end that count. */
export async function memberFacts(
  sql: Sql,
  { planId, connectionId, hours, now }: { planId: number; connectionId: number; hours: number; now: Date },
): Promise<LostFacts> {
  const { rows: counted } = await sql.query<{ lost: number }>(LOST, [planId, connectionId]);
  const lost = counted[0]?.lost ?? 0;
  if (lost === 0) return { lost, recent: 0, known: 0 };
  const { rows } = await sql.query<{ known: number }>(
    `select count(*)::int as known from accounts g join memberships m on m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null
      where g.connection_id = $1 and g.kind = 'group'`,
    [connectionId],
  );
  return { lost, recent: await recentlyLost(sql, { connectionId, action: "member", hours, now }), known: rows[0]?.known ?? 0 };
}

/** What was lost within the window by plans that nobody had to approve. */
export async function recentlyLost(
  sql: Sql,
  { connectionId, action, hours, now }: { connectionId: number; action: LostAction; hours: number; now: Date },
): Promise<number> {
  const { rows } = await sql.query<{ recent: number }>(
    `select coalesce(sum(count), 0)::int as recent from guard_counts where connection_id = $1 and action = $2 and at > $3::timestamptz - make_interval(secs => $4)`,
    [connectionId, action, now, hours * 3600],
  );
  return rows[0]?.recent ?? 0;
}

/** Counts what a plan that no guard holds ends, for the plans after it. What somebody approves has been looked at, and counts no more. */
export async function noteLost(
  sql: Sql,
  { connectionId, lost, now }: { connectionId: number; lost: Partial<Record<LostAction, number>>; now: Date },
): Promise<void> {
  for (const [action, count] of Object.entries(lost))
    if (count > 0)
      await sql.query("insert into guard_counts (connection_id, at, action, count) values ($1, $2, $3, $4)", [
        connectionId,
        now,
        action,
        count,
      ]);
}
