import type { Sql } from "../db/database.ts";

/** Into which units a connection would put somebody, by reference within it or by code. */
export interface NamedUnits {
  personId: string;
  references: readonly string[];
}

/** The units of these people, as conditions of rules know them, once the connection names these; what others put them into stays. */
export async function unitsNamed(
  sql: Sql,
  { connectionId, named }: { connectionId: number; named: readonly NamedUnits[] },
): Promise<Map<string, string[]>> {
  if (named.length === 0) return new Map();
  const pairs = named.flatMap(({ personId, references }) => references.map((reference) => ({ personId, reference })));
  const { rows } = await sql.query<{ personId: string; units: string[] }>(
    `with asked as (select distinct unnest($2::uuid[]) as person_id),
      held as (
        select person_id, coalesce(
            (select a.unit_id from accounts a where a.connection_id = $1 and a.reference = named.reference and a.kind = 'unit' and a.gone_at is null limit 1),
            (select u.id from units u where u.code = named.reference::citext and u.deleted_at is null)) as unit_id
          from unnest($3::uuid[], $4::text[]) as named (person_id, reference)
        union
        select pu.person_id, pu.unit_id from asked join person_units pu on pu.person_id = asked.person_id
           and pu.connection_id is distinct from $1 and pu.recorded_to is null and pu.valid_to is null)
     select asked.person_id as "personId", coalesce(array_agg(distinct coalesce(u.code, u.name)::text) filter (where u.id is not null), '{}') as units
     from asked left join held on held.person_id = asked.person_id left join units u on u.id = held.unit_id group by 1`,
    [connectionId, named.map(({ personId }) => personId), pairs.map(({ personId }) => personId), pairs.map(({ reference }) => reference)],
  );
  return new Map(rows.map(({ personId, units }) => [personId, units]));
}
