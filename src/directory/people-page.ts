import type { Sql } from "../db/database.ts";
import { FOUND_BY, type Filter, type Parameters } from "./people-filters.ts";
import type { PeopleListOptions, PersonLine } from "./people-list.ts";
import { statementOf } from "./people-statement.ts";
import { rankOf, RANKED_NAME } from "./people-words.ts";

const KEYS = {
  name: { key: "lower(coalesce(p.display_name, p.user_name::text))", type: "text" },
  userName: { key: "lower(p.user_name::text)", type: "text" },
  modified: { key: "p.modified_at", type: "timestamptz" },
} as const;

/** The columns of a line, of whoever is `p`. */
export const LINE = `p.id, p.user_name::text as "userName", p.display_name as "displayName", p.email::text as email, p.attributes->>'title' as title,
  coalesce(jsonb_path_query_first(p.attributes, '$.phoneNumbers[*] ? (@.primary == true).value') #>> '{}', p.attributes->'phoneNumbers'->0->>'value') as phone,
  p.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'department' as department, p.employee_number as "employeeNumber",
  p.state, p.active, (select name from connections where id = p.origin_id) as origin, p.manager_id as "managerId", p.version, p.modified_at as "modifiedAt"`;

export interface PageOptions extends Pick<PeopleListOptions, "sort" | "limit" | "after" | "names" | "common"> {
  given: Parameters;
  words: readonly string[];
  conditions: readonly Filter[];
  /** The one of them that says who may be shown at all: asked last, because it costs the most. */
  reach: Filter;
  /** The best matches come first. */
  ranked: boolean;
}

export interface WalkOptions extends PageOptions {
  /** Look at so many people; at all when undefined. */
  most: number | undefined;
  /** Whether who is found by the words is listed first, which pays where many are walked past. */
  listed?: boolean;
  /** Filters that need not be asked, because this condition says the same. */
  only?: { condition: string; met: readonly Filter[] };
}

/** People of whom it is known that they meet some of the conditions. */
export interface Gathered {
  /** SQL of what their ids are: an array of them, or a query. */
  ids: string;
  /** The filters that need not be asked again. */
  met: readonly Filter[];
}

/** A page in the order of an index, which is walked until the page is full, or `most` people were looked at. */
export async function walked(sql: Sql, options: WalkOptions): Promise<PersonLine[]> {
  return (await sql.query<PersonLine>(statementOf(options.names, walkedText(options), options.given.values))).rows;
}

/** The statement of such a page. */
export function walkedText(options: WalkOptions): string {
  const { limit, given, conditions, reach, most, listed, only } = options;
  const { key, order, direction, beyond } = orderOf(options, { ranked: false });
  const living = `p.state <> 'deleted'${beyond}`;
  const asked = conditions.filter((each) => each !== reach && !only?.met.includes(each));
  const filters = [...(only ? [only.condition] : []), ...asked.map((each) => (listed && each.words ? amongFound(each) : each.condition))];
  const found = listed || !asked.some((each) => each.words) ? "" : ` ${FOUND_BY}`;
  // Said at each level, or the planner sorts what is sorted.
  const ordered = `order by p.sort_key${direction}, p.id${direction}`;
  const bounded = `(select p.* from (select p.*, ${key} as sort_key from people p where ${living} order by ${order} limit ${most}) p${found}
    where ${["true", ...filters].join(" and ")} ${ordered} offset 0) p where ${reach.condition} ${ordered}`;
  const whole = `people p${found} where ${[living, ...filters, reach.condition].join(" and ")} order by ${order}`;
  return `select ${LINE}, null::int as rank, (${key})::text as key from ${most === undefined ? whole : bounded} limit ${given.add(limit)}`;
}

/** All who are found are listed first: "is true" keeps the planner from looking for them one by one. */
const amongFound = ({ ids }: Filter): string => `(p.id in (select id from (${ids}) met)) is true`;

/** A page of those who are gathered, the best matches first where that is asked for. */
export async function sorted(sql: Sql, { gathered, ...options }: PageOptions & { gathered: Gathered }): Promise<PersonLine[]> {
  const { names, limit, given, reach, ranked } = options;
  const { key, rank, order, beyond, direction } = orderOf(options, { ranked });
  // What is sorted is narrow, and what is shown is read again.
  const text = `select ${LINE}, s.rank, s.key::text as key
    from (select p.id, ${rank} as rank, ${key} as key from ${sourceOf(gathered, options)}${beyond} order by ${order} offset 0) s
    ${personOf("s")} where ${reach.condition} order by ${orderOfSorted({ ranked, direction })} limit ${given.add(limit)}`;
  return (await sql.query<PersonLine>(statementOf(names, text, given.values))).rows;
}

/** Whoever has the id of this alias, as `p`: looked up one by one, whatever the planner expects. */
export const personOf = (alias: string): string => `cross join lateral (select * from people where id = ${alias}.id offset 0) p`;

/** The same order once more, of what was sorted as `s`. */
export function orderOfSorted({ ranked, direction }: { ranked: boolean; direction: string }): string {
  return [...(ranked ? ["s.rank"] : []), "s.key", "s.id"].map((each) => `${each}${direction}`).join(", ");
}

/** How many meet every condition; `gathered` where some are known to lead to them. */
export async function counted(sql: Sql, { gathered, ...options }: PageOptions & { gathered: Gathered | undefined }): Promise<number> {
  const { names, given, words, conditions, reach } = options;
  const all = ["p.state <> 'deleted'", ...conditions.map(({ condition }) => condition)].join(" and ");
  const from = gathered ? `${sourceOf(gathered, options)} and ${reach.condition}` : `people p${foundBy(words)} where ${all}`;
  const { rows } = await sql.query<{ total: number }>(statementOf(names, `select count(*)::int as total from ${from}`, given.values));
  return rows[0]?.total ?? 0;
}

/** All of them but for the reach. `offset 0` keeps the planner to this way. */
function sourceOf({ ids, met }: Gathered, { conditions, words, reach }: PageOptions): string {
  const others = conditions.filter((each) => each !== reach && !met.includes(each)).map(({ condition }) => condition);
  return `(select * from people where id ${ids} offset 0) p${foundBy(words)} where ${["p.state <> 'deleted'", ...others].join(" and ")}`;
}

export const foundBy = (words: readonly string[]): string => (words.length > 0 ? ` ${FOUND_BY}` : "");

export interface Order {
  key: string;
  rank: string;
  /** As it stands behind `order by`. */
  order: string;
  direction: string;
  /** The condition of those who come after the place where the page before ended, with its `and`. */
  beyond: string;
}

export function orderOf({ sort, after, given, words }: PageOptions, { ranked }: { ranked: boolean }): Order {
  const descending = sort.startsWith("-");
  const { key, type } = ranked ? RANKED_NAME : KEYS[sort === "relevance" ? "name" : (sort.replace(/^-/, "") as keyof typeof KEYS)];
  const rank = ranked ? rankOf(words, given) : "null::int";
  const order = [...(ranked ? [rank] : []), key, "p.id"];
  const place = after && [
    ...(ranked ? [`${given.add(after[1])}::int`] : []),
    `${given.add(after[2])}::${type}`,
    `${given.add(after[3])}::uuid`,
  ];
  const direction = descending ? " desc" : "";
  return {
    key,
    rank,
    order: order.map((each) => `${each}${direction}`).join(", "),
    direction,
    beyond: place ? ` and (${order.join(", ")}) ${descending ? "<" : ">"} (${place.join(", ")})` : "",
  };
}
