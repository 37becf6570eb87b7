import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import { AppError } from "../errors.ts";
import type { TokenScope } from "./tokens.ts";

/** A token as the API shows it: never the token itself. */
export interface TokenView {
  id: string;
  name: string;
  scope: TokenScope;
  /** Its readable part: `rc_api_<prefix>_…`. */
  prefix: string;
  /** Whose it is; null for a service's and a SCIM client's. */
  personId: string | null;
  person: string | null;
  connection: string | null;
  permissions: string[] | null;
  unitIds: string[] | null;
  /** Who answers for a service's; null = the operator. */
  responsibleId: string | null;
  responsible: string | null;
  state: "live" | "suspended" | "expired" | "revoked";
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  lastUsedFrom: string | null;
  revokedReason: string | null;
  /** The token whose place it takes. */
  replacesId: string | null;
}

const VIEW = `
  select t.id, t.name, t.scope, t.prefix, t.person_id as "personId", coalesce(p.display_name, p.user_name::text) as person, c.name as connection,
    t.permissions, t.unit_ids as "unitIds",
    case when t.revoked_at is not null then 'revoked' when t.expires_at <= $1 then 'expired'
      when coalesce(p.id, r.id) is not null and not (coalesce(p.active, r.active) and ${withinOwnTime({ person: "coalesce(p.id, r.id)", at: "$1::timestamptz" })}) then 'suspended'
      else 'live' end as state,
    t.responsible_id as "responsibleId", coalesce(r.display_name, r.user_name::text) as responsible,
    t.created_at as "createdAt", t.expires_at as "expiresAt", t.last_used_at as "lastUsedAt", t.last_used_from as "lastUsedFrom",
    t.revoked_reason as "revokedReason", t.replaces_id as "replacesId"
  from tokens t left join people p on p.id = t.person_id left join people r on r.id = t.responsible_id left join connections c on c.id = t.connection_id
  where t.oauth_client_id is null`;

export interface TokenSearch {
  now: Date;
  limit: number;
  /** Which there are to see: a condition on `t` and `p`, its parameters numbered from 8. */
  within: { text: string; values: unknown[] };
  /** Creation time and id of the last one of the page before. */
  after?: readonly [string, string] | undefined;
  personId?: string | undefined;
  /** Who answers for it. */
  responsibleId?: string | undefined;
  /** The readable part, or a whole token that was found somewhere. */
  prefix?: string | undefined;
  state?: TokenView["state"] | undefined;
}

/** Tokens, the newest first. */
export async function searchTokens(
  sql: Sql,
  { now, limit, within, after, personId, responsibleId, prefix, state }: TokenSearch,
): Promise<TokenView[]> {
  const { rows } = await sql.query<TokenView>(
    `select * from (${VIEW} and ($3::timestamptz is null or (t.created_at, t.id) < ($3, $4::uuid)) and ($5::uuid is null or t.person_id = $5)
       and ($6::text is null or t.prefix = $6) and ($7::uuid is null or t.responsible_id = $7) and ${within.text}) shown
     ${state === undefined ? "" : `where state = $${8 + within.values.length}`}
     order by "createdAt" desc, id desc limit $2`,
    [
      now,
      limit,
      after?.[0] ?? null,
      after?.[1] ?? null,
      personId ?? null,
      prefixOf(prefix),
      responsibleId ?? null,
      ...within.values,
      ...(state === undefined ? [] : [state]),
    ],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readToken(sql: Sql, { id, now }: { id: string; now: Date }): Promise<TokenView> {
  const { rows } = await sql.query<TokenView>(`${VIEW} and t.id = $2`, [now, id]);
  const [token] = rows;
  if (!token) throw unknownToken(id);
  return token;
}

export function unknownToken(id: string): AppError {
  return new AppError("not_found", `There is no token ${id}.`, { field: "token" });
}

/** A leaked token is pasted whole as often as not, or cut off where its secret part begins, which is not looked at. */
function prefixOf(given: string | undefined): string | null {
  return given === undefined ? null : (/^rc_(?:scim|api|feed)_([a-z0-9]{8})(?:_|$)/.exec(given)?.[1] ?? given);
}
