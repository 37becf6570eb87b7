import type { Sql } from "../../db/database.ts";
import type { IncidentKind } from "./finding.ts";

/** When the last incident of a kind was closed, by subject: what was counted for it is not counted again. */
export async function closings(
  sql: Sql,
  { kind, subjectIds }: { kind: IncidentKind; subjectIds: readonly string[] },
): Promise<Map<string, Date>> {
  if (subjectIds.length === 0) return new Map();
  const { rows } = await sql.query<{ id: string; at: Date }>(
    "select subject_id as id, max(closed_at) as at from incidents where kind = $1 and subject_id = any($2::text[]) and closed_at is not null group by subject_id",
    [kind, subjectIds],
  );
  return new Map(rows.map(({ id, at }) => [id, at]));
}
