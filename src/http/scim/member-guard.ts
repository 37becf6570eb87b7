import type { ScimInboundSettings } from "../../../connectors/scim-inbound/config.ts";
import type { LoadedConnection } from "../../connections/open.ts";
import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

/** The settings of a SCIM client's connection. Throws `misconfigured` when the token's connection is of another kind. */
export function memberSettings(connection: LoadedConnection): ScimInboundSettings {
  if (connection.connector.name !== "scim-inbound") {
    throw new AppError(
      "misconfigured",
      `The connection ${connection.name} is no SCIM client (its connector is ${connection.connector.name}): make its token for another one.`,
    );
  }
  return connection.settings as ScimInboundSettings;
}

/**
 * Holds a request that would empty a group by a list that is perhaps only a part of it: more than the setting's count
 * and more than its share of the members. Counted in SQL, no member is read. Throws `held`.
 */
export async function guardMembers(
  { sql }: Work,
  { connection, groupId, keep }: { connection: LoadedConnection; groupId: string; keep: readonly string[] },
): Promise<void> {
  const { count, share } = memberSettings(connection).memberGuard;
  const { rows } = await sql.query<{ total: number; leaving: number }>(
    `select count(*) as total, count(*) filter (where not person_id = any ($3::uuid[])) as leaving
     from memberships where group_id = $1 and connection_id = $2 and recorded_to is null and valid_to is null`,
    [groupId, connection.id, keep],
  );
  const { total, leaving } = rows[0] ?? { total: 0, leaving: 0 };
  if (leaving <= count || leaving <= total * share) return;
  throw new AppError(
    "held",
    `This would take ${leaving} of ${total} members out of the group at once, more than the connection ${connection.name} allows (memberGuard: ${count} and ${share * 100} %). Nothing was changed. Remove them by name, or raise the limit.`,
    { field: "memberGuard" },
  );
}
