import { SIGN_IN_CONNECTORS } from "../../connections/sign-in-connectors.ts";
import type { Sql } from "../../db/database.ts";
import type { Factor } from "./kinds.ts";

/** $1 the person, $2 the instant, $3 the connectors by which people sign in. */
const OTHER_WAYS = `select from passwords where person_id = $1 and (temporary_until is null or temporary_until > $2)
  union all
  select from accounts a join connections c on c.id = a.connection_id
  where a.person_id = $1 and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null and c.enabled and c.connector = any($3::text[])
  limit 1`;

interface Question {
  personId: string;
  /** The one that is to go. */
  factor: Pick<Factor, "id" | "kind">;
  /** All that the person has. */
  known: readonly Pick<Factor, "id" | "kind">[];
  at: Date;
}

/** Whether a factor is the passkey without which nothing lets its person in: no other passkey, no password, no account at a provider in use. */
export async function isLastWayIn(sql: Sql, { personId, factor, known, at }: Question): Promise<boolean> {
  if (factor.kind !== "passkey" || known.some(({ id, kind }) => id !== factor.id && kind === "passkey")) return false;
  const { rowCount } = await sql.query(OTHER_WAYS, [personId, at, SIGN_IN_CONNECTORS]);
  return !rowCount;
}
