import type { Sql } from "../db/database.ts";
import type { StatementNames } from "../db/statement-names.ts";
import { filtersOf, FOUND_BY, likePart, parameters, type Filter, type Parameters, type PeopleFilters } from "./people-filters.ts";

export interface PersonLine {
  id: string;
  userName: string;
  displayName: string | null;
  email: string | null;
  phone: string | null;
  title: string | null;
  department: string | null;
  employeeNumber: string | null;
  state: string;
  active: boolean;
  origin: string | null;
  managerId: string | null;
  version: number;
  modifiedAt: Date;
  /** Where the next page begins. */
  place: Place;
}

export type PeopleSort = "relevance" | "name" | "-name" | "userName" | "-userName" | "modified" | "-modified";

/** The sort values of one line: whether, and how well, it was matched, its key as text, its id. */
export type Place = readonly [ranked: boolean, rank: number, key: string, id: string];

export interface PeopleListOptions {
  filters: PeopleFilters;
  /** A condition on `p`, its parameters numbered from 1: who may be shown at all; with the same as a query of ids, where they may be few. */
  within: { text: string; values: readonly unknown[]; ids?: string };
  sort: PeopleSort;
  limit: number;
  after?: Place | undefined;
  /** Count them all, too. */
  count?: boolean | undefined;
  at: Date;
  /** Planning such a statement costs more than a page does: those that come again are planned once. */
  names: StatementNames;
}

export interface PeopleList {
  lines: PersonLine[];
  /** Null when it was not asked for. */
  total: number | null;
}

const ASCII = /^[\x21-\x7e]+$/;

/** Up to so many are sorted; what more than that many meet is walked in the order of an index. */
const FEW = 3000;
/** So few need no better way. */
const ENOUGH = 200;

/**
 * People by words and filters (P6), best matches first or in an order that an index has. Of the conditions, the one that leads to the
 * fewest people is begun with, if that is few; otherwise the order's index is walked, on which those who are many come soon.
 */
export async function listPeople(sql: Sql, options: PeopleListOptions): Promise<PeopleList> {
  const words = await foldedWords(sql, options.filters.q);
  const { filters, within, at } = options;
  const given = parameters(within.values);
  const made = filtersOf(filters, { given, words, at });
  const conditions: Filter[] = [...made, { condition: within.text, ...(within.ids === undefined ? {} : { ids: within.ids }) }];
  const few = await fewest(sql, { conditions, values: given.values, names: options.names });
  const source = `${few === undefined ? "people p" : sourceOf(few, { within, given })}${words.length > 0 ? ` ${FOUND_BY}` : ""}`;
  // What led here holds of everybody who is found so.
  const others = conditions.filter((each) => few === undefined || each.ids !== few.ids);
  const where = ["p.state <> 'deleted'", ...others.map(({ condition }) => condition)].join(" and ");
  const ranked = options.after ? options.after[0] : options.sort === "relevance" && words.length > 0 && few !== undefined;
  const total = options.count ? await counted(sql, { source, where, values: given.values, names: options.names }) : null;
  return { lines: await page(sql, { ...options, source, where, given, ranked, words }), total };
}

/** Who was found by a filter is not looked for twice; who is in reach is asked again as they are shown. `offset 0` keeps to that way. */
function sourceOf(few: Few, { within, given }: { within: PeopleListOptions["within"]; given: Parameters }): string {
  if (few.ids !== within.ids) return `(select * from people where id = any(${given.add(few.found)}::uuid[]) offset 0) p`;
  return `(select distinct id from (${few.ids}) met offset 0) d cross join lateral (select * from people where id = d.id offset 0) p`;
}

async function foldedWords(sql: Sql, q: string | undefined): Promise<string[]> {
  const words = (q ?? "").split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [];
  // Nothing in ASCII has an accent (the dictionary's rules name none of it).
  const { rows } = words.every((word) => ASCII.test(word))
    ? { rows: words.map((word) => ({ word: word.toLowerCase() })) }
    : await sql.query<{ word: string }>({
        name: "people_fold_words",
        text: "select fold_text(word) as word from unnest($1::text[]) with ordinality as w (word, at) order by at",
        values: [words],
      });
  // Of a number as it is written in groups (+45 20 30), the signs say nothing.
  return rows
    .map(({ word }) => (/^[+()\d./-]+$/.test(word) && /\d/.test(word) ? word.replace(/\D+/g, "") : word))
    .filter((word) => word !== "");
}

interface Few {
  /** The query of the condition that leads to them. */
  ids: string;
  /** Their ids as it found them, an array in PostgreSQL's own text: handed back as it came, so that nothing is searched for twice. */
  found: string | null;
}

/** The condition that leads to the fewest people, if they are few. Each is counted no further than it must be, and none once one is good enough. */
async function fewest(
  sql: Sql,
  { conditions, values, names }: { conditions: readonly Filter[]; values: readonly unknown[]; names: StatementNames },
): Promise<Few | undefined> {
  let best: (Few & { count: number }) | undefined;
  for (const { ids } of conditions) {
    if (ids === undefined) continue;
    const most = (best?.count ?? FEW + 1) + 1;
    const { rows } = await sql.query<{ count: number; found: string | null }>(
      statementOf(
        names,
        `select count(*)::int as count, case when count(*) < ${most} then array_agg(id)::text end as found from (select id from (${ids}) met limit ${most}) counted`,
        values,
      ),
    );
    const { count, found } = rows[0] ?? { count: most, found: null };
    if (count <= FEW && count < (best?.count ?? Infinity)) best = { ids, count, found };
    if (best && best.count <= ENOUGH) break;
  }
  return best;
}

async function counted(
  sql: Sql,
  { source, where, values, names }: { source: string; where: string; values: readonly unknown[]; names: StatementNames },
): Promise<number> {
  const { rows } = await sql.query<{ total: number }>(
    statementOf(names, `select count(*)::int as total from ${source} where ${where}`, values),
  );
  return rows[0]?.total ?? 0;
}

/** PostgreSQL refuses parameters that a statement does not use: those are named in a condition that says nothing. */
function statementOf(names: StatementNames, text: string, values: readonly unknown[]): { name?: string; text: string; values: unknown[] } {
  const kept: unknown[] = [];
  const at = new Map<string, string>();
  const renumbered = text.replace(/\$(\d+)/g, (placeholder, number: string) => {
    const known = at.get(placeholder);
    if (known !== undefined) return known;
    const made = `$${kept.push(values[Number(number) - 1])}`;
    at.set(placeholder, made);
    return made;
  });
  const name = names.nameOf(renumbered);
  return { ...(name === undefined ? {} : { name }), text: renumbered, values: kept };
}

const KEYS = {
  name: { key: "lower(coalesce(p.display_name, p.user_name::text))", type: "text" },
  userName: { key: "lower(p.user_name::text)", type: "text" },
  modified: { key: "p.modified_at", type: "timestamptz" },
} as const;

interface PageOptions extends PeopleListOptions {
  source: string;
  where: string;
  given: Parameters;
  ranked: boolean;
  words: readonly string[];
}

async function page(sql: Sql, { names, sort, limit, after, source, where, given, ranked, words }: PageOptions): Promise<PersonLine[]> {
  const descending = sort.startsWith("-");
  const named = sort === "relevance" ? "name" : (sort.replace(/^-/, "") as keyof typeof KEYS);
  const { key, type } = KEYS[named];
  const rank = ranked ? rankOf(words, given) : undefined;
  const order = [...(rank === undefined ? [] : [rank]), key, "p.id"];
  const place = after && [
    ...(rank === undefined ? [] : [`${given.add(after[1])}::int`]),
    `${given.add(after[2])}::${type}`,
    `${given.add(after[3])}::uuid`,
  ];
  const beyond = place ? ` and (${order.join(", ")}) ${descending ? "<" : ">"} (${place.join(", ")})` : "";
  const direction = descending ? " desc" : "";
  const { rows } = await sql.query<PersonLine & { rank: number; key: string }>(
    statementOf(
      names,
      `select p.id, p.user_name::text as "userName", p.display_name as "displayName", p.email::text as email, p.attributes->>'title' as title,
         coalesce(jsonb_path_query_first(p.attributes, '$.phoneNumbers[*] ? (@.primary == true).value') #>> '{}', p.attributes->'phoneNumbers'->0->>'value') as phone,
         p.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'department' as department, p.employee_number as "employeeNumber",
         p.state, p.active, (select name from connections where id = p.origin_id) as origin, p.manager_id as "managerId", p.version, p.modified_at as "modifiedAt",
         ${rank ?? "0"} as rank, (${key})::text as key
       from ${source} where ${where}${beyond}
       order by ${order.map((each) => `${each}${direction}`).join(", ")} limit ${given.add(limit)}`,
      given.values,
    ),
  );
  return rows.map(({ rank: at, key: value, ...line }) => ({ ...line, place: [ranked, at, value, line.id] as const }));
}

/** Whole lines first (a login, an address, a full name), then beginnings of lines, then of words, then parts of words. */
function rankOf(words: readonly string[], given: Parameters): string {
  const all = words.map(likePart).join(" ");
  const like = (pattern: string) => `found.words like ${given.add(pattern)}::text`;
  const begins = words.map((word) => `(${like(`%\n${likePart(word)}%`)} or ${like(`% ${likePart(word)}%`)})`).join(" and ");
  return `(case when ${like(`%\n${all}\n%`)} then 0 when ${like(`%\n${all}%`)} then 1 when ${begins} then 2 else 3 end)`;
}
