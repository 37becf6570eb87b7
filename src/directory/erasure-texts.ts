import type { Sql } from "../db/database.ts";
import { patternOf, withoutWords, type PersonWords } from "./erasure-words.ts";

/** Texts that people or systems wrote: table, its key, and the columns. */
interface Texts {
  table: string;
  key: string;
  columns: readonly string[];
}

const IN_THE_TRAIL = "subject_id = any($2::text[] || $1::uuid::text) or actor = 'person:' || $1::uuid::text";

/** Rows that are about the person: of $1, and in the trail by the person or about what was theirs ($2). */
const THEIRS: readonly (Texts & { where: string })[] = [
  { table: "blocks", key: "id", columns: ["reason"], where: "person_id = $1 and $2::text[] is not null" },
  { table: "lifecycle_periods", key: "id", columns: ["reason"], where: "person_id = $1 and $2::text[] is not null" },
  { table: "person_expiries", key: "id", columns: ["reason"], where: "person_id = $1 and $2::text[] is not null" },
  { table: "grants", key: "id", columns: ["reason"], where: "person_id = $1 and $2::text[] is not null" },
  { table: "tokens", key: "id", columns: ["revoked_reason"], where: "person_id = $1 and $2::text[] is not null" },
  {
    table: "access_requests",
    key: "id",
    columns: ["reason", "decision_reason"],
    where: "(person_id = $1 or requested_by = $1) and $2::text[] is not null",
  },
  {
    table: "incident_notes",
    key: "id",
    columns: ["text"],
    where: "incident_id in (select id from incidents where person_id = $1) and $2::text[] is not null",
  },
  { table: "audit_events", key: "id", columns: ["reason"], where: IN_THE_TRAIL },
];

/** The same, with keys and codes in them. */
const THEIR_DOCUMENTS = { table: "audit_events", key: "id", columns: ["data"], where: IN_THE_TRAIL };

/** Where others may have named the person. */
const ANYWHERE: readonly Texts[] = [
  { table: "audit_events", key: "id", columns: ["reason", "data"] },
  { table: "blocks", key: "id", columns: ["reason"] },
  { table: "lifecycle_periods", key: "id", columns: ["reason"] },
  { table: "person_expiries", key: "id", columns: ["reason"] },
  { table: "tokens", key: "id", columns: ["revoked_reason"] },
  { table: "sessions", key: "id", columns: ["ended_reason"] },
  { table: "oauth_clients", key: "id", columns: ["revoked_reason"] },
  { table: "erasures", key: "person_id", columns: ["reason"] },
  { table: "grants", key: "id", columns: ["reason"] },
  { table: "access_requests", key: "id", columns: ["reason", "decision_reason"] },
  { table: "people_imports", key: "id", columns: ["reason"] },
  { table: "factor_requirements", key: "id", columns: ["reason"] },
  { table: "runs", key: "id", columns: ["error_message"] },
  { table: "run_problems", key: "id", columns: ["message"] },
  { table: "deliveries", key: "id", columns: ["message"] },
  { table: "projections", key: "id", columns: ["last_error"] },
  { table: "incident_notes", key: "id", columns: ["text"] },
  { table: "connections", key: "id", columns: ["state_reason"] },
];

/**
 * Takes what a person was called by out of the texts that are kept: every word of it where the text is about them or theirs, what
 * tells by itself wherever it stands. That reads the trail once from end to end.
 */
export async function eraseFromTexts(
  sql: Sql,
  { personId, subjectIds, words }: { personId: string; subjectIds: readonly string[]; words: PersonWords },
): Promise<void> {
  const theirs = [...THEIRS.map((each) => ({ ...each, of: words.typed })), { ...THEIR_DOCUMENTS, of: words.all }];
  for (const { where, of, ...texts } of theirs) {
    const pattern = patternOf(of);
    if (pattern) await rewrite(sql, { texts, where, values: [personId, subjectIds], pattern });
  }
  const telling = patternOf(words.telling);
  if (!telling) return;
  // Documents have quotation marks and backslashes escaped.
  const wanted = words.telling.flatMap((word) => [word, JSON.stringify(word).slice(1, -1)]).map((word) => word.toLowerCase());
  for (const texts of ANYWHERE) {
    const where = texts.columns
      .map((column) => `exists (select from unnest($1::text[]) as w (word) where position(word in lower(${column}::text)) > 0)`)
      .join(" or ");
    await rewrite(sql, { texts, where, values: [[...new Set(wanted)]], pattern: telling });
  }
}

async function rewrite(
  sql: Sql,
  { texts, where, values, pattern }: { texts: Texts; where: string; values: readonly unknown[]; pattern: RegExp },
): Promise<void> {
  const { table, key, columns } = texts;
  const { rows } = await sql.query<Record<string, unknown>>(`select ${key} as key, ${columns.join(", ")} from ${table} where ${where}`, [
    ...values,
  ]);
  for (const row of rows) {
    const next = columns.map((column) => withoutWords(row[column], pattern));
    if (JSON.stringify(next) === JSON.stringify(columns.map((column) => row[column]))) continue;
    const sets = columns.map((column, index) => `${column} = $${index + 2}`).join(", ");
    await sql.query(`update ${table} set ${sets} where ${key} = $1`, [
      row["key"],
      ...next.map((value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : value)),
    ]);
  }
}
