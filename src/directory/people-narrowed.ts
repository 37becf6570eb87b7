import type { Sql } from "../db/database.ts";
import { walkedNamesText } from "./people-by-name.ts";
import type { Filter } from "./people-filters.ts";
import type { PersonLine } from "./people-list.ts";
import { foundBy, LINE, orderOf, orderOfSorted, personOf, walkedText, type PageOptions } from "./people-page.ts";
import { statementOf } from "./people-statement.ts";

/** So many are gathered as a set; of more, the next one in some order comes soon. */
export const SET = 5000;
/** So many of them are put in order; of more, the order of an index is walked. */
export const SORTED = { ranked: 2000, byKey: 1500 };
/** So few need not be compared with others' sets. */
export const FEW = 200;
/** Words that more than FEW match are looked for among so many, one by one, rather than gathered. */
export const AMONG = 1000;
/** So many are walked past at most. */
const WALKED = 10_000;

export interface Narrowed {
  /** The leading conditions that are met by so few people that they were gathered; none when each is met by many. */
  by: readonly Filter[];
  /** How many meet the first leading condition, as far as they were counted. */
  met?: number | undefined;
  /** Undefined where those who are asked for stand too far from each other in the index: they are to be put in order, all of them. */
  lines: PersonLine[] | undefined;
}

export interface NarrowedOptions extends PageOptions {
  /** What may be begun with: the words alone, or whatever else leads to people. */
  leading: readonly Filter[];
  /** How many may meet a leading condition that is met by few. */
  few: number;
}

/**
 * A page of those who meet a leading condition that few people meet, if there is one, in one statement: who meets it is gathered once,
 * with the texts that they are found and ranked by, and narrowed by what else leads to few.
 */
export async function narrowed(sql: Sql, options: NarrowedOptions): Promise<Narrowed> {
  const { names, given, leading, few, limit, ranked, after } = options;
  if (leading.length === 0) return { by: [], lines: undefined };
  const most = after && ranked ? SET : leading[0]?.words && ranked ? SORTED.ranked : SORTED.byKey;
  const text = `with ${setsOf(options)}, size as materialized (select count(*) as n from found)
    select concat_ws(' ', ${leading.map((_, at) => `(select n from n${at})`).join(", ")}) as sizes, (select n from size)::int as size, page.*
    from (select 1) one left join lateral (${pageOf(options, most)}) page on true`;
  const { rows } = await sql.query<Measured & (PersonLine | { id: null })>(statementOf(names, text, given.values));
  const sizes = rows[0]?.sizes.split(" ").map(Number) ?? [];
  const size = rows[0]?.size ?? 0;
  const by = leading.filter((_, at) => (sizes[at] ?? Infinity) <= few);
  const met = sizes[0];
  if (by.length === 0 || (size > most && rows.length < limit)) return { by, lines: undefined, met };
  return { by, lines: rows.filter(isShown), met };
}

/**
 * The same of those who meet the first leading condition alone, if they are FEW at most. Most words lead to few, and to set up the statement
 * that can do more costs as much as this one does.
 */
export async function narrowedToFew(sql: Sql, options: PageOptions & { leading: readonly [Filter] }): Promise<Narrowed> {
  const { names, given, leading } = options;
  const text = `with found as materialized (select id, words from (${leading[0].ids}) met limit ${FEW + 1}), size as materialized (select count(*) as n from found)
    select (select n from size)::int as size, page.* from (select 1) one left join lateral (${inOrderOf(options, FEW)}) page on true`;
  const { rows } = await sql.query<Pick<Measured, "size"> & (PersonLine | { id: null })>(statementOf(names, text, given.values));
  const met = rows[0]?.size ?? 0;
  return met > FEW ? { by: [], lines: undefined, met } : { by: leading, lines: rows.filter(isShown), met };
}

/** A row without anybody says how many there are, and nothing else. */
export const isShown = <Row extends { id: string | null }>(row: Row): row is Extract<Row, { id: string }> => row.id !== null;

interface Measured {
  /** How many meet each leading condition, as far as they were counted, with blanks between. */
  sizes: string;
  /** How many meet all that lead to few. */
  size: number;
}

/** Of several, it hangs on how many meet each whether a set was compared with. */
const metBy = (leading: readonly Filter[]): readonly Filter[] => (leading.length === 1 ? leading : []);

/** SQL of the sets, and of `found`, which they have in common. A set is gathered when it is first asked about: one that nobody needs is not. */
function setsOf({ leading, few, conditions }: NarrowedOptions): string {
  const byWords = leading.some(({ words }) => words);
  const sets = byWords ? [...leading, ...conditions.filter((each) => each.ids !== undefined && !leading.includes(each))] : leading;
  const mostOf = (at: number) => (at < leading.length ? few : SET);
  const isSmall = (at: number) => `(select n from n${at}) <= ${mostOf(at)}`;
  const within = (at: number, other: number) =>
    `((select n from n${at}) <= ${FEW} or not ${isSmall(other)} or (id in (select id from set${other})) is true)`;
  const begunWith = (at: number) => {
    const before = leading.slice(0, at).map((_, earlier) => `not ${isSmall(earlier)}`);
    const narrowing = sets.flatMap((_, other) => (other > at ? [within(at, other)] : []));
    return `select id${byWords ? ", words" : ""} from set${at} where ${[...before, isSmall(at), ...narrowing].join(" and ")}`;
  };
  const begun = leading.map((_, at) => begunWith(at)).join(" union all ");
  const gathered = ({ ids }: Filter, at: number) =>
    byWords && at === 0
      ? wordsOf({ leading, sets, most: mostOf(at) + 1 })
      : `set${at} as materialized (select id from (${ids}) met limit ${mostOf(at) + 1})`;
  return [
    ...sets.map((set, at) => `${gathered(set, at)}, n${at} as materialized (select count(*) as n from set${at})`).toReversed(),
    `found as ${sets.length > 1 ? "materialized" : "not materialized"} (${begun})`,
  ].join(",\n      ");
}

/**
 * SQL of `set0`, who is found by words. A set is gathered no further than somebody asks for it: of words that many match only the first few are
 * while another set is so small that its people are looked through instead.
 */
function wordsOf({ leading: [words], sets, most }: Pick<NarrowedOptions, "leading"> & { sets: readonly Filter[]; most: number }): string {
  const all = `select id, words from (${words?.ids}) met limit ${most}`;
  const others = sets.flatMap((each, at) => (each.words ? [] : [at]));
  if (others.length === 0) return `set0 as materialized (${all})`;
  const many = `(select n from first) > ${FEW}`;
  const small = (at: number) => `${many} and (select n from n${at}) <= ${AMONG}`;
  const none = others.map((at) => `(${small(at)}) is not true`).join(" and ");
  const among = others.map((at, turn) => {
    const before = others.slice(0, turn).map((earlier) => ` and (select n from n${earlier}) > ${AMONG}`);
    return `select id, words from (${words?.idsAmong?.(`select id from set${at}`)}) met where ${small(at)}${before.join("")}`;
  });
  // Texts are long: the larger set is not copied.
  return `everybody as materialized (${all}), first as materialized (select count(*) as n from (select from everybody limit ${FEW + 1}) begun),
      among as materialized (${among.join(" union all ")}), set0 as not materialized (select id, words from everybody where ${none} union all select id, words from among)`;
}

/** Those who are found in order, or the index walked for them where they are many. */
function pageOf(options: NarrowedOptions, most: number): string {
  const { leading, sort } = options;
  const inOrder = inOrderOf(options, most);
  if (most >= SET) return inOrder;
  const met = metBy(leading);
  const many = `(select n from size) > ${most}`;
  const walk =
    sort === "relevance" || sort === "name" || sort === "-name"
      ? walkedNamesText(options, { where: many, met })
      : walkedText({ ...options, most: WALKED, only: { condition: `${many} and (p.id in (select id from found)) is true`, met } });
  return `(${inOrder}) union all (${walk})`;
}

/** Those who are found, in order, where they are no more than `most`. */
export function inOrderOf(options: PageOptions & { leading: readonly Filter[] }, most: number): string {
  const { leading, conditions, reach, limit, given, ranked, words } = options;
  const { key, rank, order, beyond, direction } = orderOf(options, { ranked });
  const met = metBy(leading);
  const byWords = met.some((each) => each.words);
  const living = [
    "p.state <> 'deleted'",
    ...conditions.filter((each) => each !== reach && !met.includes(each)).map((each) => each.condition),
  ];
  const few = `(select n from size) <= ${most}`;
  // Ranked by the texts that were gathered with them, nobody is looked up who is not shown.
  const unseen = ranked && byWords;
  // An index is gone through once for all ids of an array, whoever is among them twice.
  const source = unseen
    ? `(select id, words from found) p cross join lateral (select p.words) found where ${few}`
    : `(select * from people where id = any(array(select id from found where ${few})) offset 0) p${byWords ? "" : foundBy(words)} where ${living.join(" and ")}`;
  return `select ${LINE}, s.rank, s.key::text as key
    from (select p.id, ${rank} as rank, ${key} as key from ${source}${beyond} order by ${order} offset 0) s
    ${personOf("s")} where ${[...(unseen ? living : []), reach.condition].join(" and ")} order by ${orderOfSorted({ ranked, direction })} limit ${given.add(limit)}`;
}
