import type { Sql } from "../db/database.ts";
import type { Merged } from "./merge.ts";
import { managerOf } from "./request/manager.ts";

/** Who would lead these people, by person, as a run would find out; null for nobody, or somebody who has not been seen. */
export async function managersNamed(
  sql: Sql,
  named: readonly { personId: string; manager: Merged["manager"] }[],
): Promise<Map<string, string | null>> {
  if (named.length === 0) return new Map();
  const { rows } = await sql.query<{ personId: string; managerId: string | null }>(
    `select named.person_id as "personId", ${managerOf({ reference: "named.reference", connection: "named.connection_id" })} as "managerId"
     from unnest($1::uuid[], $2::text[], $3::int[]) as named (person_id, reference, connection_id)`,
    [
      named.map(({ personId }) => personId),
      named.map(({ manager }) => manager?.reference ?? null),
      named.map(({ manager }) => manager?.connectionId ?? null),
    ],
  );
  return new Map(rows.map(({ personId, managerId }) => [personId, managerId]));
}
