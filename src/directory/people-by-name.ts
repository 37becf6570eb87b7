import type { Sql } from "../db/database.ts";
import type { Filter } from "./people-filters.ts";
import type { PersonLine } from "./people-list.ts";
import { foundBy, LINE, orderOfSorted, personOf, type PageOptions } from "./people-page.ts";
import { statementOf } from "./people-statement.ts";

/** So many texts are walked past at most: some ten milliseconds. */
const WALKED = 5000;

/** Whether the names beside the texts are those of this moment. Asked once a statement. */
const TAKEN_OVER = "(select not exists (select from search_changes where person_id is not null))";

/** So many names are walked past at most, in the index alone: some milliseconds. */
const NAMES_WALKED = 30_000;

/**
 * SQL of a page, by name, of those who are in `found`, where that is so: the index of names is walked, and nobody is looked at who is not
 * among them.
 */
export function walkedNamesText(
  options: PageOptions,
  { where, met, found = "found" }: { where: string; met: readonly Filter[]; found?: string },
): string {
  const { given, limit, after, conditions, reach, words } = options;
  const [direction, than] = options.sort.startsWith("-") ? [" desc", "<"] : ["", ">"];
  const beyond = after ? `where (name, person_id) ${than} (${given.add(after[2])}::text, ${given.add(after[3])}::uuid)` : "";
  const others = conditions.filter((each) => each !== reach && !met.includes(each));
  const living = ["p.state <> 'deleted'", ...others.map(({ condition }) => condition), reach.condition];
  return `select ${LINE}, null::int as rank, s.key from (
      select w.person_id as id, w.name as key
      from (select person_id, name from person_search ${beyond} order by name${direction}, person_id${direction} limit ${NAMES_WALKED}) w
      where ${TAKEN_OVER} and ${where} and (w.person_id in (select id from ${found})) is true order by w.name${direction}, w.person_id${direction} offset 0) s
    ${personOf("s")}${others.some((each) => each.words) ? foundBy(words) : ""} where ${living.join(" and ")}
    order by ${orderOfSorted({ ranked: false, direction })} limit ${given.add(limit)}`;
}

/**
 * A page, by name, of those whom the words lead to, where they are many: the texts are walked in the order of the names that stand beside
 * them, and only who is found is looked up. Less than a full page says nothing: they stand too far from each other, or texts wait to be
 * taken over, and those who come next are to be found another way.
 */
export async function walkedByName(sql: Sql, options: PageOptions): Promise<PersonLine[]> {
  const { names, given, limit, after, conditions, reach } = options;
  const beyond = after ? `where (name, person_id) > (${given.add(after[2])}::text, ${given.add(after[3])}::uuid)` : "";
  const words = conditions.filter((each) => each.words).map(({ condition }) => condition);
  const others = conditions.filter((each) => !each.words && each !== reach).map(({ condition }) => condition);
  const text = `select ${LINE}, null::int as rank, s.key from (
      select found.person_id as id, found.name as key
      from (select person_id, name, words from person_search ${beyond} order by name, person_id limit ${WALKED}) found
      where ${[TAKEN_OVER, ...words].join(" and ")} order by found.name, found.person_id offset 0) s
    ${personOf("s")} where ${["p.state <> 'deleted'", ...others, reach.condition].join(" and ")} order by s.key, s.id limit ${given.add(limit)}`;
  return (await sql.query<PersonLine>(statementOf(names, text, given.values))).rows;
}
