import type { Sql } from "../db/database.ts";
import type { StatementNames } from "../db/statement-names.ts";
import { ENOUGH, fewest, type Few } from "./people-few.ts";
import { filtersOf, parameters, type Filter, type Parameters, type PeopleFilters } from "./people-filters.ts";
import { counted, sorted, walked, type Gathered, type WalkOptions } from "./people-page.ts";
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

/** So many people are looked at in the order of an index, and then so many more, before those who meet the filters are gathered. */
const WALKED = { first: 500, more: 20_000 };

/**
 * People by words and filters (P6), best matches first or in an order that an index has. Of the conditions, the one that leads to the
 * fewest people is begun with, if that is few. Otherwise the order's index is walked, on which those who are many come soon; and where
 * they don't, because many meet each filter and few meet all, they are gathered.
 */
export async function listPeople(sql: Sql, options: PeopleListOptions): Promise<PeopleList> {
  const words = await foldedWords(sql, options.filters.q);
  const { filters, within, at, after } = options;
  const given = parameters(within.values);
  const reach: Filter = { condition: within.text, ...(within.ids === undefined ? {} : { ids: within.ids }) };
  const conditions = [...filtersOf(filters, { given, words, at }), reach];
  const few = await fewest(sql, { conditions, values: given.values, names: options.names });
  const gathered = gatheredBy({ few, conditions, reach, given });
  const place = { ...options, given, words, conditions, reach, gathered };
  const total = options.count ? await counted(sql, place) : null;
  if (!gathered) return { lines: await walked(sql, { ...place, most: undefined }), total };
  const lines = few || after?.[0] ? undefined : await walkedAWhile(sql, place);
  return { lines: lines ?? (await sorted(sql, { ...place, gathered })), total };
}

/** A full page, or nothing where those who are asked for are too far from each other. */
async function walkedAWhile(sql: Sql, place: Omit<WalkOptions, "most">): Promise<PersonLine[] | undefined> {
  for (const way of [{ most: WALKED.first }, { most: WALKED.more, listed: true }]) {
    const lines = await walked(sql, { ...place, ...way });
    if (lines.length === place.limit) return lines;
  }
  return undefined;
}

interface Leading {
  few: Few | undefined;
  conditions: readonly Filter[];
  reach: Filter;
  given: Parameters;
}

/** Who is in reach is asked as they are shown, even where that led to them: what was found was of a moment ago. */
function gatheredBy({ few, conditions, reach, given }: Leading): Gathered | undefined {
  if (few) {
    const found = `${given.add(few.found)}::uuid[]`;
    const words = conditions.find((each) => each.words);
    // Looking each of them up costs more than finding all who match.
    if (few.count > ENOUGH && words && words !== few.by)
      return { ids: `in (select unnest(${found}) intersect select id from (${words.ids}) met)`, met: [few.by, words] };
    return { ids: `= any(${found})`, met: [few.by] };
  }
  const leading = conditions.filter((each) => each !== reach && each.ids !== undefined);
  if (leading.length === 0) return undefined;
  return { ids: `in (${leading.map(({ ids }) => `select id from (${ids}) met`).join(" intersect ")})`, met: leading };
}
