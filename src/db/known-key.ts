import { AppError } from "../errors.ts";
import type { Sql } from "./database.ts";
import type { KeyRing } from "./envelope.ts";

/**
 * Throws `misconfigured` when there are sealed values and none of them was sealed with a key of the ring: a server that went on would
 * seal new ones with another key beside them. One match is enough: what else a rotation or a restored backup has left is told where it
 * is opened.
 */
export async function requireKnownKey(sql: Sql, { current, older }: KeyRing): Promise<void> {
  const { rows } = await sql.query<{ known: boolean; other: string | null }>(
    `select exists (select from person_keys where split_part(wrapped, '.', 2) = any($1))
         or exists (select from connections c, jsonb_each_text(c.secrets) s where split_part(s.value, '.', 2) = any($1)) as known,
       coalesce((select split_part(wrapped, '.', 2) from person_keys limit 1),
         (select split_part(s.value, '.', 2) from connections c, jsonb_each_text(c.secrets) s limit 1)) as other`,
    [[current, ...older].map(({ id }) => id)],
  );
  const [{ known, other } = { known: false, other: null }] = rows;
  if (known || other === null) return;
  throw new AppError(
    "misconfigured",
    `What this database holds was sealed with key ${other}, which is not the master key in use (${current.id}). Restore that key (ROLLCALL_KEY or the key file).`,
    { field: "ROLLCALL_KEY" },
  );
}
