import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import type { JsonObject } from "./json.ts";

/**
 * Refuses a group that this client has made already, told by the externalId that it gave: a create whose answer was lost
 * comes again (RFC 7644 section 3.3). Two groups may have one name. Waits for another request that makes the same group.
 * Throws `conflict` (uniqueness).
 */
export async function refuseSameGroup(sql: Sql, { connectionId, group }: { connectionId: number; group: JsonObject }): Promise<void> {
  const { externalId } = group;
  if (typeof externalId !== "string") return;
  await sql.query("select pg_advisory_xact_lock(hashtextextended($1, $2))", [externalId, connectionId]);
  const { rows } = await sql.query<{ id: string }>(
    `select native_id as id from accounts
     where connection_id = $1 and kind = 'group' and scim_external_id = $2 and gone_at is null limit 1`,
    [connectionId, externalId],
  );
  const [there] = rows;
  if (!there) return;
  throw new AppError("conflict", `externalId: the group ${there.id} has it already; change that one, or send another externalId.`, {
    field: "externalId",
    scimType: "uniqueness",
  });
}
