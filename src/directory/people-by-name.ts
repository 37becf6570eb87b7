import type { Sql } from "../db/database.ts";
import type { PersonLine } from "./people-list.ts";
import { LINE, linesOf, personOf, type PageOptions, type Row } from "./people-page.ts";
import { statementOf } from "./people-statement.ts";

/** So many texts are walked past at most: some ten milliseconds. */
const WALKED = 5000;

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
  const takenOver = "(select not exists (select from search_changes where person_id is not null))";
  const text = `select ${LINE}, 0 as rank, s.key from (
      select found.person_id as id, found.name as key
      from (select person_id, name, words from person_search ${beyond} order by name, person_id limit ${WALKED}) found
      where ${[takenOver, ...words].join(" and ")} order by found.name, found.person_id offset 0) s
    ${personOf("s")} where ${["p.state <> 'deleted'", ...others, reach.condition].join(" and ")} order by s.key, s.id limit ${given.add(limit)}`;
  return linesOf((await sql.query<Row>(statementOf(names, text, given.values))).rows, { ranked: false });
}
