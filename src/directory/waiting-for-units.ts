import type { Work } from "../db/database.ts";

/**
 * Puts people into these units whom a connection names into them by their code, and who have waited for them to come, whoever brought
 * them now. Returns who that is; what follows from it is the caller's to see to.
 */
export async function placeByCode({ ctx, sql }: Work, unitIds: readonly string[]): Promise<string[]> {
  if (unitIds.length === 0) return [];
  const { rows } = await sql.query<{ person_id: string }>(
    `with arrived as (delete from pending_references w using units u, accounts a
        where u.id = any($1::uuid[]) and u.deleted_at is null and w.kind = 'unit' and w.reference::citext = u.code
          and a.id = w.account_id and a.gone_at is null and a.person_id is not null
        returning a.person_id, w.connection_id, u.id as unit_id)
      insert into person_units (person_id, unit_id, connection_id, valid_from, recorded_from)
      select distinct person_id, unit_id, connection_id, $2::timestamptz, $2::timestamptz from arrived on conflict do nothing returning person_id`,
    [unitIds, ctx.now()],
  );
  return [...new Set(rows.map((row) => row.person_id))];
}
