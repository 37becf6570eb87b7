import type { Sql } from "../db/database.ts";
import type { CommonWords } from "../db/common-words.ts";
import type { StatementNames } from "../db/statement-names.ts";
import { filtersOf, parameters, type Filter, type PeopleFilters } from "./people-filters.ts";
import { walkedByName } from "./people-by-name.ts";
import { amongMany, type AmongManyOptions } from "./people-among-many.ts";
import { AMONG, FEW, narrowed, narrowedToFew, SET, SORTED, type Narrowed } from "./people-narrowed.ts";
import { counted, sorted, walked, type Gathered, type PageOptions } from "./people-page.ts";
import { foldedWords } from "./people-words.ts";

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
  /** How well they were matched, where the best matches come first; null in an order by key alone. */
  rank: number | null;
  /** What they are put in order by, as text. */
  key: string;
}

export type PeopleSort = "relevance" | "name" | "-name" | "userName" | "-userName" | "modified" | "-modified";

/** The sort values of one line: whether, and how well, it was matched, its key as text, its id. */
export type Place = readonly [ranked: boolean, rank: number, key: string, id: string];

/** Where the page after this line begins. Pure. */
export const placeOf = ({ rank, key, id }: PersonLine): Place => [rank !== null, rank ?? 0, key, id];

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
  common: CommonWords;
}

export interface PeopleList {
  lines: PersonLine[];
  /** Null when it was not asked for. */
  total: number | null;
}

/** So many people are looked at in the order of an index, and then so many more, before those who meet the filters are gathered. */
const WALKED = { first: 2000, more: 20_000 };

/**
 * People by words and filters (P6), best matches first or in an order that an index has. What few people meet is begun with: the words
 * before all else. Otherwise the order's index is walked, on which those who are many come soon; and where they don't, because many meet
 * each filter and few meet all, they are gathered.
 */
export async function listPeople(sql: Sql, options: PeopleListOptions): Promise<PeopleList> {
  const words = await foldedWords(sql, options.filters.q);
  const { filters, within, at, after, sort } = options;
  const given = parameters(within.values);
  const reach: Filter = { condition: within.text, ...(within.ids === undefined ? {} : { ids: within.ids }) };
  const conditions = [...filtersOf(filters, { given, words, at }), reach];
  const ranked = words.length > 0 && (after ? after[0] : sort === "relevance");
  const page: PageOptions = { ...options, given, words, conditions, reach, ranked };
  const { by, lines } = await begun(sql, page);
  const leading = by.length > 0 ? by : conditions.filter((each) => each !== reach && each.ids !== undefined);
  const gathered = leading.length > 0 ? gatheredBy(leading) : undefined;
  const total = options.count ? await counted(sql, { ...page, gathered }) : null;
  if (lines) return { lines, total };
  if (!gathered) return { lines: await walked(sql, { ...page, most: undefined }), total };
  const soon = by.length > 0 || (ranked && after) ? undefined : await walkedAWhile(sql, page);
  return { lines: soon ?? (await sorted(sql, { ...page, gathered })), total };
}

/** Words lead to the fewest, mostly; what else there is, where they don't; where nothing does, whom the words lead to comes soon by name. */
async function begun(sql: Sql, page: PageOptions): Promise<Narrowed> {
  const { conditions, words, sort, after, ranked, common } = page;
  const leading = conditions.filter(({ ids }) => ids !== undefined);
  const [byWords, byOthers] = [leading.filter((each) => each.words), leading.filter((each) => !each.words)];
  const byName = words.length > 0 && sort === "relevance";
  const alone = byName && byOthers.length === 0;
  const first = alone && ranked && !after;
  const met = common.met(words);
  if (alone && (!ranked || (first && met > SORTED.ranked))) {
    const next = await fullByName(sql, page);
    if (next) return next;
  }
  const [led] = byWords;
  const many = led && byName && !alone && ranked && !after ? { ...page, led, others: byOthers } : undefined;
  if (many && met > SORTED.ranked) {
    const next = await soonAmongMany(sql, many);
    if (next) return next;
  }
  if (led && met <= FEW) {
    const few = await narrowedToFew(sql, { ...page, leading: [led] });
    if (few.lines) return few;
    common.note(words, few.met ?? 0);
  }
  // Where nothing else narrows them, more than are ranked need not be gathered.
  const found = await narrowed(sql, { ...page, leading: byWords, few: first ? SORTED.ranked : SET });
  // Of no more than AMONG it may be the others' people who were counted.
  if (first || (found.met ?? 0) > AMONG) common.note(words, found.met ?? 0);
  if (many && found.by.length === 0) {
    const next = await soonAmongMany(sql, many);
    if (next) return next;
  }
  const begunWith = found.by.length > 0 ? found : await narrowed(sql, { ...page, leading: byOthers, few: SET });
  const walkable = byName && begunWith.by.length === 0 && (ranked ? !after : !alone);
  return (walkable ? await fullByName(sql, page) : undefined) ?? begunWith;
}

/** A page of those who meet words that many meet, or nothing, which is not tried again at once. */
async function soonAmongMany(sql: Sql, page: AmongManyOptions): Promise<Narrowed | undefined> {
  const search = [...page.given.values];
  if (page.common.isScattered(search)) return undefined;
  const found = await amongMany(sql, page);
  if (found.lines) return found;
  page.common.noteScattered(search);
  return undefined;
}

/** A full page by name, or nothing. */
async function fullByName(sql: Sql, page: PageOptions): Promise<Narrowed | undefined> {
  const lines = await walkedByName(sql, page);
  return lines.length === page.limit ? { by: [], lines } : undefined;
}

/** A full page, or nothing where those who are asked for are too far from each other. */
async function walkedAWhile(sql: Sql, page: PageOptions): Promise<PersonLine[] | undefined> {
  for (const way of [{ most: WALKED.first }, { most: WALKED.more, listed: true }]) {
    const lines = await walked(sql, { ...page, ...way });
    if (lines.length === page.limit) return lines;
  }
  return undefined;
}

/** Who is in reach is asked as they are shown, even where that led to them. */
function gatheredBy(leading: readonly Filter[]): Gathered {
  return { ids: `in (${leading.map(({ ids }) => `select id from (${ids}) met`).join(" intersect ")})`, met: leading };
}
