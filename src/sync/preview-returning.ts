import type { Sql } from "../db/database.ts";

/**
 * Of these people, those who would be active again once the blocks of origins that `connectionId` names are lifted; all of them when it
 * is null. Who is kept out by anybody else, or has not answered an invitation, is left out.
 */
export async function returningOnceLifted(
  sql: Sql,
  { personIds, connectionId }: { personIds: readonly string[]; connectionId: number | null },
): Promise<Set<string>> {
  if (personIds.length === 0) return new Set();
  const { rows } = await sql.query<{ id: string }>(
    `select p.id from people p where p.id = any($1::uuid[]) and p.state in ('suspended', 'deactivated')
       and not exists (select from blocks b where b.person_id = p.id and b.recorded_to is null and b.valid_to is null
         and (b.owner <> 'origin' or ($2::int is not null and b.connection_id is distinct from $2)))
       and coalesce((select l.state from lifecycle_periods l where l.person_id = p.id and l.recorded_to is null and l.valid_to is not null
         and l.state in ('invited', 'active') order by l.valid_to desc limit 1), 'active') = 'active'`,
    [personIds, connectionId],
  );
  return new Set(rows.map(({ id }) => id));
}
