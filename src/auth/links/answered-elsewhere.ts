import type { Work } from "../../db/database.ts";
import { activateInvited } from "../../directory/activation.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { unsettledAddress } from "../addresses/standing.ts";
import { STILL_ADDRESSED } from "./links.ts";

export interface AnsweredElsewhere {
  personId: string;
  /** The connection by whose provider the person has just proven who they are. */
  connection: string;
  /** Their e-mail addresses there, in lower case, of which the provider says that they are theirs. */
  addresses: readonly string[];
  settings: SignInSettings["addresses"];
}

/** Somebody has asked them in, by a link or a temporary password, and has not taken that back. How long the link works is about the link, which may lie about. */
const ASKED_IN = `(exists (select from passwords w where w.person_id = p.id and w.temporary_until is not null)
  or exists (select from (select * from login_links where person_id = p.id and purpose = 'invitation' order by created_at desc, id limit 1) l
    where l.used_at is null and l.revoked_at is null and ${STILL_ADDRESSED}))`;

const MAY_ANSWER = `select from people p where p.id = $1 and p.state = 'invited' and p.active and lower(p.email::text) = any($2::text[])
  and ${withinOwnTime({ person: "p.id", at: "$3::timestamptz" })} and ${ASKED_IN}`;

/**
 * Takes a sign-in elsewhere for the answer to an invitation, in the caller's transaction, under the person's row lock: they become active,
 * and the link opens nothing any more. An invitation proves that its reader has the address; so does a provider that vouches for it. Returns
 * false, and changes nothing, for who was not asked in, or not at this address, or may not be here.
 */
export async function answerElsewhere(work: Work, { personId, connection, addresses, settings }: AnsweredElsewhere): Promise<boolean> {
  const { ctx, sql } = work;
  const now = ctx.now();
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rowCount } = await sql.query(MAY_ANSWER, [personId, addresses, now]);
  // What has just been written there may be what this provider itself has said.
  if (!rowCount || (await unsettledAddress(sql, { personId, now, settings }))) return false;
  await sql.query("update login_links set revoked_at = $2 where person_id = $1 and used_at is null and revoked_at is null", [
    personId,
    now,
  ]);
  return activateInvited(work, { personId, reason: `the person has signed in by ${connection}` });
}
