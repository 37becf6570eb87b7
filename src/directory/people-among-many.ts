import type { Sql } from "../db/database.ts";
import { walkedNamesText } from "./people-by-name.ts";
import type { Filter } from "./people-filters.ts";
import type { PersonLine } from "./people-list.ts";
import { FEW, inOrderOf, isShown, SET, SORTED, type Narrowed } from "./people-narrowed.ts";
import type { PageOptions } from "./people-page.ts";
import { statementOf } from "./people-statement.ts";

export interface AmongManyOptions extends PageOptions {
  /** The words, which more than are ranked meet. */
  led: Filter;
  /** The other conditions that lead to people; one at least. */
  others: readonly Filter[];
}

/**
 * The first page of those who meet words that many meet, without their texts: where another condition leads to no more than a set, its people
 * are looked through, and the best matches come first; where none does, those who meet the words come by name. Without lines where that
 * did not lead to a page.
 */
export async function amongMany(sql: Sql, options: AmongManyOptions): Promise<Narrowed> {
  const { led, others, names, given, limit } = options;
  const sets = others.map((_, at) => `set${at}`);
  const isSmall = (at: number) => `(select n from n${at}) <= ${SET}`;
  const noneBefore = (end: number) => sets.slice(0, end).map((_, at) => `(${isSmall(at)}) is not true`);
  const gathered = others.map(
    ({ ids }, at) =>
      `set${at} as materialized (select id from (${ids}) met limit ${SET + 1}), n${at} as materialized (select count(*) as n from set${at})`,
  );
  const among = sets.map(
    (set, at) =>
      `select id, words from (${led.idsAmong?.(`select id from ${set}`)}) met where ${[...noneBefore(at), isSmall(at)].join(" and ")}`,
  );
  // Few are compared with no other set.
  const narrowing = sets.map(
    (set, at) => `((select n from met) <= ${FEW} or not ${isSmall(at)} or (id in (select id from ${set})) is true)`,
  );
  const none = [...noneBefore(sets.length), `(select count(*) from everybody) <= ${SET}`].join(" and ");
  const best = inOrderOf({ ...options, leading: [led] }, SORTED.ranked);
  const byName = walkedNamesText(options, { where: none, met: [led], found: "everybody" });
  const text = `with ${gathered.join(",\n      ")},
      among as materialized (${among.join(" union all ")}), met as materialized (select count(*) as n from among),
      found as materialized (select id, words from among where ${["true", ...narrowing.slice(1)].join(" and ")}), size as materialized (select count(*) as n from found),
      everybody as materialized (${led.idsAlone} limit ${SET + 1})
    select ${sets.map((_, at) => isSmall(at)).join(" or ")} as small, (select n from size)::int as size, page.*
    from (select 1) one left join lateral ((${best}) union all (${byName})) page on true`;
  const { rows } = await sql.query<{ small: boolean; size: number } & (PersonLine | { id: null })>(statementOf(names, text, given.values));
  const [first] = rows;
  const whole = first?.small ? first.size <= SORTED.ranked : rows.length === limit;
  return whole ? { by: [led], lines: rows.filter(isShown) } : { by: [], lines: undefined };
}
