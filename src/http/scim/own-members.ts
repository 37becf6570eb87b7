import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import type { Call } from "./call.ts";

/**
 * Refuses members that a client of visibility `own` does not see, in the words that are used for who is not there at all:
 * whether there is somebody under an id is not its business. Throws `invalid`.
 */
export async function refuseUnseenMembers(sql: Sql, { call, ids }: { call: Call; ids: readonly string[] }): Promise<void> {
  if (call.visibility !== "own" || ids.length === 0) return;
  const { rows } = await sql.query<{ id: string }>(
    `select asked.id from unnest($1::text[]) as asked (id) where not exists (
       select from accounts own where own.connection_id = $2 and own.kind in ('user', 'group') and own.native_id = asked.id and own.gone_at is null) limit 1`,
    [ids, call.connection.id],
  );
  const [unseen] = rows;
  if (unseen)
    throw new AppError("invalid", `members: there is no user or group ${unseen.id}.`, {
      field: "members.value",
      scimType: "invalidValue",
    });
}
