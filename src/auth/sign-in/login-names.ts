import type { Sql } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";

export interface LoginHolder {
  personId: string;
  /** Whether the person may be signed in now: active, and within their own time. */
  present: boolean;
  hasPassword: boolean;
}

// Somebody invited comes in by a temporary password as far as setting their own, which makes them active.
const HOLDER = `select p.id as "personId", p.active and (p.state = 'active'
    or (p.state = 'invited' and exists (select from passwords w where w.person_id = p.id and w.temporary_until is not null))) and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })} as present,
  exists (select from passwords w where w.person_id = p.id) as "hasPassword" from people p where p.state <> 'deleted'`;

/** The person who signs in by this name: a user name or, where nobody has that one, the e-mail address of the profile. */
export async function findByLoginName(sql: Sql, { name, at }: { name: string; at: Date }): Promise<LoginHolder | null> {
  const { rows } = await sql.query<LoginHolder>({
    name: "login-name",
    text: `${HOLDER} and (lower(p.user_name::text) = lower($1::text) or (p.email is not null and lower(p.email::text) = lower($1::text)))
      order by lower(p.user_name::text) = lower($1::text) desc, p.id limit 1`,
    values: [name, at],
  });
  return rows[0] ?? null;
}

/** The same of somebody who is known already. */
export async function loginHolder(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<LoginHolder | null> {
  const { rows } = await sql.query<LoginHolder>({ name: "login-holder", text: `${HOLDER} and p.id = $1`, values: [personId, at] });
  return rows[0] ?? null;
}
