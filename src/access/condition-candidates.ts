import { isStorable } from "../../connectors/kit/storable-text.ts";
import type { Sql } from "../db/database.ts";
import { parameters, type Parameters } from "../directory/people-filters.ts";
import { PROFILE_TEXTS } from "../expressions/environment.ts";
import type { Implied } from "../expressions/speaks-of.ts";

/**
 * The ids, in their order, of everybody who can fulfil a condition by what it implies: whoever fulfils it, and others, of whom it must be
 * asked still. Of what SQL has no word for, nothing is left out.
 */
export async function conditionCandidates(sql: Sql, { implied, at }: { implied: Implied | undefined; at: Date }): Promise<string[]> {
  const given = parameters();
  const condition = implied && conditionOf(implied, { given, at: lazily(() => `${given.add(at)}::timestamptz`) });
  const { rows } = await sql.query<{ id: string }>(
    `select p.id from people p where p.state <> 'deleted'${condition === undefined ? "" : ` and ${condition}`} order by p.id`,
    given.values,
  );
  return rows.map(({ id }) => id);
}

interface Place {
  given: Parameters;
  at: () => string;
}

/** PostgreSQL refuses parameters that a statement does not use, and one is enough. */
function lazily(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}

function conditionOf(implied: Implied, place: Place): string | undefined {
  if ("all" in implied) {
    const all = implied.all.flatMap((each) => conditionOf(each, place) ?? []);
    return all.length === 0 ? undefined : `(${all.join(" and ")})`;
  }
  if (!isSayable(implied)) return undefined;
  if ("any" in implied) return `(${implied.any.map((each) => conditionOf(each, place)).join(" or ")})`;
  if ("holds" in implied) return elementOf(implied, place);
  return `p.attributes #>> ${place.given.add(PROFILE_TEXTS[implied.field])}::text[] = ${place.given.add(implied.equals)}::text`;
}

/** Whether SQL has words for it. Asked before anything of it is made: a part that is thrown away would leave its parameters behind. */
function isSayable(implied: Implied): boolean {
  if ("all" in implied) return implied.all.some(isSayable);
  if ("any" in implied) return implied.any.every(isSayable);
  if ("holds" in implied) return ["groups", "units"].includes(implied.field) && isStorable(implied.holds);
  // Empty is also whoever has none.
  return PROFILE_TEXTS[implied.field] !== undefined && implied.equals !== "" && isStorable(implied.equals);
}

function elementOf({ field, holds }: { field: string; holds: string }, { given, at }: Place): string | undefined {
  const current = (table: string) => `${table}.recorded_to is null and ${table}.valid @> ${at()}`;
  if (field === "groups")
    return `p.id in (with recursive below (group_id) as (
      select id from groups where display_name = ${given.add(holds)}::citext and deleted_at is null
      union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and ${current("n")})
      select m.person_id from below cross join lateral (select * from believed_memberships m where m.group_id = below.group_id and m.valid @> ${at()} offset 0) m)`;
  if (field === "units")
    return `p.id in (select pu.person_id from units join person_units pu on pu.unit_id = units.id and ${current("pu")}
      where coalesce(units.code, units.name) = ${given.add(holds)}::citext)`;
  return undefined;
}
