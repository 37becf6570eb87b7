import type { Sql } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import type { StoredPassword } from "../passwords/verify.ts";
import { hashOfSecret, isSecret } from "../sessions/session.ts";

export interface LoginHolder {
  personId: string;
  /** Whether the person may be signed in now: active, and within their own time. */
  present: boolean;
  /** Whether nothing keeps them out but that they have not answered an invitation. */
  invited: boolean;
  hasPassword: boolean;
}

// Somebody invited comes in by a temporary password as far as setting their own, which makes them active.
const IN_OWN_TIME = withinOwnTime({ person: "p.id", at: "$2::timestamptz" });
const SHOWN = `p.id as "personId", p.active and (p.state = 'active' or (p.state = 'invited' and w.temporary_until is not null))
    and ${IN_OWN_TIME} as present, p.active and p.state = 'invited' and ${IN_OWN_TIME} as invited, w.person_id is not null as "hasPassword"`;
const HOLDER = `from people p left join passwords w on w.person_id = p.id where p.state <> 'deleted'`;
// Arrays have no lower case of their own.
const FORMS = "(lower(($1::text[])::text)::text[])";
const BY_NAME = `(lower(p.user_name::text) = any(${FORMS}) or (p.email is not null and lower(p.email::text) = any(${FORMS})))
  order by array_position(${FORMS}, lower(p.user_name::text)), array_position(${FORMS}, lower(p.email::text)), p.id limit 1`;
const PROVING = `${SHOWN}, w.hash, w.temporary_until as "temporaryUntil", w.set_at as "setAt",
  exists (select from sign_in_devices d where d.person_id = p.id and d.hash = $3) as "knownDevice"`;

/** A name as it was typed, then in other ways to write its letters (é as one sign or as two): names of directories stand as they came. */
function formsOf(name: string): string[] {
  return [...new Set([name, name.normalize("NFC"), name.normalize("NFD")])];
}

/** The person who signs in by this name: a user name or, where nobody has that one, the e-mail address of the profile. */
export async function findByLoginName(sql: Sql, { name, at }: { name: string; at: Date }): Promise<LoginHolder | null> {
  const { rows } = await sql.query<LoginHolder>({
    name: "login-name",
    text: `select ${SHOWN} ${HOLDER} and ${BY_NAME}`,
    values: [formsOf(name), at],
  });
  return rows[0] ?? null;
}

/** The same of somebody who is known already. */
export async function loginHolder(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<LoginHolder | null> {
  const { rows } = await sql.query<LoginHolder>({
    name: "login-holder",
    text: `select ${SHOWN} ${HOLDER} and p.id = $1`,
    values: [personId, at],
  });
  return rows[0] ?? null;
}

/** Who says that they know a password: by the name that they typed, or as who they are signed in. */
export type Claimant = { name: string } | { personId: string };

export interface ProvingHolder extends LoginHolder {
  password: StoredPassword | null;
  /** Whether the person has signed in from this browser before. */
  knownDevice: boolean;
}

/** All that is known of who is to prove a password, in one look, which costs the same for nobody. `device`: the secret in its cookie. */
export async function findProving(
  sql: Sql,
  { who, device, at }: { who: Claimant; device: string | undefined; at: Date },
): Promise<ProvingHolder | null> {
  const [name, condition, value] =
    "name" in who ? ["proving-name", BY_NAME, formsOf(who.name)] : ["proving-person", "p.id = $1", who.personId];
  const { rows } = await sql.query<LoginHolder & { knownDevice: boolean; hash: string | null } & Omit<StoredPassword, "hash">>({
    name,
    text: `select ${PROVING} ${HOLDER} and ${condition}`,
    values: [value, at, isSecret(device) ? hashOfSecret(device) : null],
  });
  const [row] = rows;
  if (!row) return null;
  const { hash, temporaryUntil, setAt, ...holder } = row;
  return { ...holder, password: hash === null ? null : { hash, temporaryUntil, setAt } };
}
