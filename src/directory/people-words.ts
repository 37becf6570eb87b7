import type { Sql } from "../db/database.ts";
import { likePart, type Parameters } from "./people-filters.ts";

const ASCII = /^[\x21-\x7e]+$/;

const MOST_KEPT = 1000;
/** Words with accents as they were folded before: nothing else tells what fold_text makes of a word. */
const kept = new Map<string, string>();

/** The words of a question as they are searched: without accents, in lower case. */
export async function foldedWords(sql: Sql, q: string | undefined): Promise<string[]> {
  const words = (q ?? "").split(/\s+/).filter((word) => word !== "");
  // Nothing in ASCII has an accent (the dictionary's rules name none of it).
  const folded = words.map((word) => (ASCII.test(word) ? word.toLowerCase() : kept.get(word)));
  const known = folded.every((word) => word !== undefined) ? folded : await foldAnew(sql, words);
  // Of a number as it is written in groups (+45 20 30), the signs say nothing.
  const said = known
    .map((word) => (/^[+()\d./-]+$/.test(word) && /\d/.test(word) ? word.replace(/\D+/g, "") : word))
    .filter((word) => word !== "");
  // An accent by itself says nothing beside words. Alone it is looked for as it is, and is nobody's: no words would find everybody.
  return said.length > 0 ? said : words;
}

async function foldAnew(sql: Sql, words: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ word: string; folded: string }>({
    name: "people_fold_words",
    text: "select word, fold_text(word) as folded from unnest($1::text[]) with ordinality as w (word, at) order by at",
    values: [words],
  });
  if (kept.size + rows.length > MOST_KEPT) kept.clear();
  for (const { word, folded } of rows) kept.set(word, folded);
  return rows.map(({ folded }) => folded);
}

/** SQL of how well the words were matched: whole lines first (a login, an address, a full name), then beginnings of lines, then of words, then parts of words. */
export function rankOf(words: readonly string[], given: Parameters): string {
  const all = words.map(likePart).join(" ");
  const like = (pattern: string) => `found.words like ${given.add(pattern)}::text`;
  const begins = words.map((word) => `(${like(`%\n${likePart(word)}%`)} or ${like(`% ${likePart(word)}%`)})`).join(" and ");
  return `(case when ${like(`%\n${all}\n%`)} then 0 when ${like(`%\n${all}%`)} then 1 when ${begins} then 2 else 3 end)`;
}

/** Who is matched as well as others comes by name: as it is found by, without accents, so that nobody is looked up who is not shown. */
export const RANKED_NAME = {
  key: "coalesce(nullif(split_part(found.words, E'\\n', 3), ''), split_part(found.words, E'\\n', 2))",
  type: "text",
} as const;
