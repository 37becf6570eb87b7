import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";

const BUILTIN_SCIM = "scim";

/** The connection of SCIM clients that have none of their own; made when it is first needed. Returns its id. */
export async function ensureScimConnection(work: Work): Promise<number> {
  const connector = "scim-inbound";
  const { rows } = await work.sql.query<{ id: number }>(
    `insert into connections (name, connector, created_at, updated_at) values ($1, $2, $3, $3)
     on conflict (name) do nothing returning id`,
    [BUILTIN_SCIM, connector, work.ctx.now()],
  );
  if (rows[0]) {
    await recordEvent(work, {
      name: "connection.created",
      subjectType: "connection",
      subjectId: BUILTIN_SCIM,
      data: { name: BUILTIN_SCIM, connector },
    });
    return rows[0].id;
  }
  const existing = await work.sql.query<{ id: number }>("select id from connections where name = $1", [BUILTIN_SCIM]);
  const row = existing.rows[0];
  if (!row) throw new Error(`the connection ${BUILTIN_SCIM} vanished while it was looked up`);
  return row.id;
}
