import type { Work } from "../../db/database.ts";
import { nestedFrom } from "./nested-from.ts";
import type { Followed } from "./source.ts";

const ARRIVED = `arrived as (
    delete from pending_references w using accounts a
     where a.id = any($1::bigint[]) and a.gone_at is null and coalesce(a.person_id, a.group_id, a.unit_id) is not null
       and w.connection_id = a.connection_id and w.reference = a.reference
       and (w.kind, a.kind) in (('manager', 'user'), ('member', 'user'), ('member', 'group'), ('unit', 'unit'))
    returning w.kind, w.account_id as waiting_id, w.connection_id, a.id as account_id, a.person_id, a.group_id, a.unit_id)`;

/**
 * Resolves what waited for these accounts: managers, members and units that were named before they were seen.
 * Returns the people whose own data changed by it, and the groups that somebody, or another group, has come into.
 */
export async function resolveArrivals({ ctx, sql }: Work, accountIds: readonly number[]): Promise<Followed> {
  if (accountIds.length === 0) return { people: [], groups: [] };
  const { rows } = await sql.query<{ person_id: string | null; group_id: string | null }>(
    `with ${ARRIVED},
      managed as (update people p set manager_id = r.person_id, version = p.version + 1, modified_at = $2
          from arrived r join accounts a on a.id = r.waiting_id where r.kind = 'manager' and p.id = a.person_id and p.manager_id is distinct from r.person_id returning p.id),
      joined as (insert into memberships (group_id, person_id, connection_id, account_id, valid_from, recorded_from)
          select distinct on (a.group_id, r.person_id) a.group_id, r.person_id, r.connection_id, r.account_id, $2::timestamptz, $2::timestamptz
            from arrived r join accounts a on a.id = r.waiting_id where r.kind = 'member' and r.person_id is not null and a.group_id is not null and a.gone_at is null
          on conflict do nothing returning person_id, group_id),
      nested as (insert into nestings (parent_group_id, child_group_id, connection_id, account_id, valid_from, recorded_from)
          select distinct a.group_id, r.group_id, r.connection_id, r.account_id, began.at, began.at
            from arrived r join accounts a on a.id = r.waiting_id
              ${nestedFrom({ parent: "a.group_id", child: "r.group_id", connection: "r.connection_id", at: "$2::timestamptz" })} where r.kind = 'member' and r.group_id is not null and a.group_id is not null and a.gone_at is null and a.group_id <> r.group_id
             and not exists (select from nestings n where n.parent_group_id = a.group_id and n.child_group_id = r.group_id and n.connection_id = r.connection_id and n.recorded_to is null and n.valid_to is null) returning parent_group_id),
      placed as (insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from)
          select distinct a.person_id, r.unit_id, r.connection_id, $2::timestamptz, $2::timestamptz
            from arrived r join accounts a on a.id = r.waiting_id where r.kind = 'unit' and a.person_id is not null on conflict do nothing returning person_id)
    select id as person_id, null::uuid as group_id from managed union select person_id, group_id from joined union select person_id, null from placed
      union select null, parent_group_id from nested`,
    [accountIds, ctx.now()],
  );
  return { people: [...new Set(rows.flatMap((row) => row.person_id ?? []))], groups: rows.flatMap((row) => row.group_id ?? []) };
}
