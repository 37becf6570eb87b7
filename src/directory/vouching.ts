import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { MATCHED_BY } from "./person-edit-rights.ts";

/** Attributes that were said of somebody here. */
export interface SaidHere {
  personId: string;
  /** Attribute keys; what accounts are not matched by is passed over. */
  keys: readonly string[];
}

/**
 * Notes whether accounts may find these people by what was said, in the caller's transaction. Whoever administers only a part could make
 * somebody up with the address or number of a person who is still to come, choose a password for them, and be that person once a source
 * brings them: by such a word an account is linked by a human alone.
 * @param everywhere whether who said so may say it of everybody in the organisation
 */
export async function noteVouching(work: Work, { said, everywhere }: { said: readonly SaidHere[]; everywhere: boolean }): Promise<void> {
  const telling = said
    .map(({ personId, keys }) => ({ personId, keys: keys.filter((key) => key === "emails" || MATCHED_BY.has(key)) }))
    .filter(({ keys }) => keys.length > 0);
  if (telling.length === 0) return;
  const each =
    "unnest($1::uuid[], $2::text[]) as given (id, text) cross join lateral (select string_to_array(given.text, ',') as keys) said";
  const { rows } = await work.sql.query<{ id: string; keys: string[] }>(
    everywhere
      ? `update people p set unvouched = array(select key from unnest(p.unvouched) key where key <> all (said.keys)) from ${each} where p.id = given.id and p.unvouched && said.keys returning p.id, said.keys`
      : `update people p set unvouched = array(select unnest(p.unvouched) union select unnest(said.keys)) from ${each} where p.id = given.id and not p.unvouched @> said.keys returning p.id, said.keys`,
    [telling.map(({ personId }) => personId), telling.map(({ keys }) => keys.join(","))],
  );
  if (!everywhere || rows.length === 0) return;
  // Where the same was said again, nothing else tells of it.
  await recordEvents(
    work,
    rows.map(({ id, keys }) => ({ name: "person.vouched" as const, subjectType: "person", subjectId: id, data: { changed: keys } })),
  );
}
