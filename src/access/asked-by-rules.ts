import type { Sql } from "../db/database.ts";

/**
 * Which of these attributes conditions of rules speak of. Who changes one of them changes what somebody may do, so that it is left to
 * administrators. By the names as words, so that it errs towards refusing. `custom.level` is asked for as `level`, `name.givenName` as `givenName`.
 */
export async function askedByRules(sql: Sql, keys: readonly string[]): Promise<string[]> {
  const words = new Map(keys.map((key) => [key, wordsOf(key)]));
  const { rows } = await sql.query<{ word: string }>(
    `select distinct word from unnest($1::text[]) as word
     join rules r on r.condition is not null and r.deleted_at is null and r.condition ~ ('\\m(' || word || '|profile)\\M')`,
    [[...words.values()].flat()],
  );
  const asked = new Set(rows.map(({ word }) => word));
  return keys.filter((key) => (words.get(key) ?? []).some((word) => asked.has(word)));
}

/** Names of attributes have letters, digits, dashes and underscores only. */
function wordsOf(key: string): string[] {
  const word = key.slice(key.lastIndexOf(".") + 1).replace(/[^\w-]/g, "");
  return [word, ...(ALSO[word] ?? [])];
}

/** Other names of the same in conditions. */
const ALSO: Readonly<Record<string, readonly string[]>> = { emails: ["email"] };
