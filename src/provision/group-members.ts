import { createHash } from "node:crypto";
import type { Sql } from "../db/database.ts";

/**
 * Memberships and nestings are never planned: what stands, stands, whatever the clock of the node that wrote it. By an instant, another
 * whose clock is behind would pass over who has just joined, or left.
 */
const stands = (alias: string) => `${alias}.recorded_to is null and ${alias}.valid_to is null`;

const MEMBERS = `
  with recursive below as (
    select $2::uuid as group_id
    union
    select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and ${stands("n")}
  )
  select distinct p.native_id collate "C" as native_id
  from below join memberships m on m.group_id = below.group_id and ${stands("m")}
  join projections p on p.person_id = m.person_id and p.connection_id = $1
  where p.native_id is not null and (p.desired_state = 'present' or p.state = 'held') and p.delivered_state = 'present'
  order by 1`;

/**
 * Native ids of the group's members, nested groups flattened, that are provisioned and active at the target; sorted.
 * Whose end there is held for an administrator keeps the groups until then: a guard holds what would be lost, not half of it.
 */
export async function wantedMembers(sql: Sql, options: { connectionId: number; groupId: string }): Promise<string[]> {
  const { rows } = await sql.query<{ native_id: string }>(MEMBERS, [options.connectionId, options.groupId]);
  return rows.map(({ native_id: nativeId }) => nativeId);
}

/** A short name for a sorted list of members. */
export function membersHash(members: readonly string[]): string {
  const hash = createHash("sha256");
  for (const member of members) hash.update(member).update("\n");
  return hash.digest("hex");
}

const GROUPS_OF_PERSON = `
  with recursive above as (
    select m.group_id from memberships m where m.person_id = $2 and ${stands("m")}
    union
    select n.parent_group_id from above join nestings n on n.child_group_id = above.group_id and ${stands("n")}
  ), locked as (
    select p.id from projections p join above on above.group_id = p.group_id where p.connection_id = $1 order by p.id for update of p
  )
  update projections set dirty_at = $3, version = version + 1 where id in (select id from locked) returning id`;

/**
 * The account of a person came or went at the target: the groups kept there that hold the person must be looked at again.
 * The project job that this wakes is put off by a second, and never further, so that a first provisioning wakes it rarely.
 */
export async function markGroupsOf(sql: Sql, options: { connectionId: number; personId: string; now: Date }): Promise<void> {
  const { rowCount } = await sql.query(GROUPS_OF_PERSON, [options.connectionId, options.personId, options.now]);
  if (!rowCount) return;
  await sql.query(
    `select enqueue_job('project', payload := json_build_object('connectionId', $1::int), queue_name := 'project:' || $1::int,
       run_at := now() + interval '1 second', job_key := 'project:' || $1::int || ':groups', job_key_mode := 'preserve_run_at')`,
    [options.connectionId],
  );
}
