import { closePeriods } from "../../directory/periods.ts";
import { step, type Batch, type Followed } from "./source.ts";

/** Closes what came through accounts that are gone: their memberships of this connection, and what they still waited for. Returns the people, and the groups that they were in. */
export async function closeLeavers(batch: Batch): Promise<Followed> {
  const { work } = batch;
  const rows = await step<{ id: number; person_id: string; group_id: string }>(batch, {
    name: "leavers_memberships",
    text: `select m.id, m.person_id, m.group_id from item i join memberships m on m.person_id = i.subject_id and m.account_id = i.account_id and m.recorded_to is null and m.valid_to is null where i.action = 'delete'`,
  });
  const ids = rows.map((row) => row.id);
  const personIds = [...new Set(rows.map((row) => row.person_id))];
  await closePeriods(work.sql, { table: "memberships", ids, personIds, at: work.ctx.now() });
  await step(batch, {
    name: "leavers_forget",
    text: `delete from pending_references w using item i where i.action = 'delete' and w.account_id = i.account_id`,
  });
  if (isRun(batch)) await awaitReturn(batch, { table: "memberships", ids, personIds });
  return { people: personIds, groups: rows.map((row) => row.group_id) };
}

/** A client's request says itself what follows from it; what a system lists, it goes on listing while somebody is away. */
export function isRun({ planId }: Batch): boolean {
  return planId !== undefined;
}

/**
 * The group's record at the source still lists who left, and will not change by itself when they come back: until it does,
 * the reference waits, unless the plan has read a list that no longer holds it: whoever is called so next would be in.
 * A list that is read later takes it back (see closeMembers).
 */
export async function awaitReturn(
  { work, connection, planId }: Batch,
  left: { ids: readonly number[] } & ({ table: "memberships"; personIds: readonly string[] } | { table: "nestings" }),
): Promise<void> {
  const { table, ids } = left;
  if (ids.length === 0) return;
  await work.sql.query(
    `insert into pending_references (connection_id, kind, account_id, reference, since)
     select distinct on (g.id, a.reference) $2::int, 'member', g.id, a.reference, $3::timestamptz
       from ${table} m join accounts a on a.id = m.account_id
       join accounts g on g.group_id = m.${table === "memberships" ? "group_id" : "parent_group_id"} and g.connection_id = $2 and g.kind = 'group' and g.gone_at is null
      where ${table === "memberships" ? "m.person_id = any($5::uuid[]) and m.recorded_to is not null and " : ""}m.id = any($1::bigint[]) and m.connection_id = $2 and a.reference is not null
        and not exists (select from pending_references w where w.account_id = g.id and w.kind = 'member' and w.reference = a.reference)
        and not exists (select from plan_members r where r.plan_id = $4 and r.group_native_id = g.native_id and r.op = 'remove' and r.account_id = a.id)`,
    [ids, connection.id, work.ctx.now(), planId, ...("personIds" in left ? [left.personIds] : [])],
  );
}
