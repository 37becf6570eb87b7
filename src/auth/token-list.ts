import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { TokenScope } from "./tokens.ts";

/** A token as it is shown: never the token itself. */
export interface TokenLine {
  id: string;
  name: string;
  scope: TokenScope;
  /** Its readable part, `rc_scim_<prefix>_…`. */
  prefix: string;
  connection: string | null;
  /** `suspended`: whose it is, or who answers for it, has no access now. */
  state: "live" | "suspended" | "expired" | "revoked";
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

/** All tokens, the newest first; the short-lived ones of OAuth clients stand with their client. */
export async function listTokens(sql: Sql, { now }: { now: Date }): Promise<TokenLine[]> {
  const { rows } = await sql.query<TokenLine>(
    `select t.id, t.name, t.scope, t.prefix, c.name as connection,
       case when t.revoked_at is not null then 'revoked' when t.expires_at <= $1 then 'expired'
         when not p.active then 'suspended' else 'live' end as state,
       t.created_at as "createdAt", t.expires_at as "expiresAt", t.last_used_at as "lastUsedAt"
     from tokens t left join connections c on c.id = t.connection_id left join people p on p.id = coalesce(t.person_id, t.responsible_id) where t.oauth_client_id is null
     order by t.created_at desc, t.id limit 1000`,
    [now],
  );
  return rows;
}

/** The id of the token that an id, a readable prefix or a name means; people name their own, also as another's id. Throws `not_found`; `conflict` when it could be several. */
export async function tokenId(sql: Sql, key: string): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `select id from tokens where (id::text = $1 or ((prefix = $1 or name = $1) and not exists (select from tokens own where own.id::text = $1)))
       and revoked_at is null and oauth_client_id is null order by created_at limit 20`,
    [key],
  );
  const [found, second] = rows;
  if (!found)
    throw new AppError("not_found", `There is no token "${key}" to revoke; \`rollcall token list\` shows all.`, { field: "token" });
  if (second)
    throw new AppError("conflict", `Several tokens are named "${key}": ${rows.map(({ id }) => id).join(", ")}. Name one by its id.`, {
      field: "token",
    });
  return found.id;
}
