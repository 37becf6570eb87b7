import type { Work } from "../../db/database.ts";
import { open, seal, type KeyRing } from "../../db/envelope.ts";
import { enqueue } from "../../db/queue.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { unsettledAddress } from "../addresses/standing.ts";
import { findByLoginName } from "../sign-in/login-names.ts";
import { handOutLink } from "./hand-out.ts";
import { isPaused } from "./reset-pause.ts";

/** What a typed name is sealed for: people type passwords into the wrong field. */
const PURPOSE = "login.forgot";

/**
 * Takes down that somebody forgot the password of this name, for a job to look into. The same is done whether or not anybody has that
 * name: neither the answer nor its time tells.
 */
export async function askForReset({ sql }: Pick<Work, "sql">, { name, keyRing }: { name: string; keyRing: KeyRing }): Promise<void> {
  await enqueue(sql, { job: "send_reset", payload: { name: seal(keyRing.current, { purpose: PURPOSE, plain: name }) }, maxAttempts: 5 });
}

/** Edits of the person's addresses by others, made here rather than by an origin of theirs, after which no link was used and the person did not say that the address is theirs. */
const REDIRECTED = `select from audit_events e where e.subject_type = 'person' and e.subject_id = p.id::text and e.name = 'person.updated'
  and e.data -> 'connection' is null and e.actor <> 'person:' || p.id::text and e.actor not like 'cli:%'
  and exists (select from jsonb_array_elements_text(e.data -> 'changed') changed (key) where changed.key like 'email%')
  and not exists (select from audit_events used where used.subject_type = 'person' and used.subject_id = p.id::text and used.at > e.at
    and (used.name = 'login_link.used' or (used.name = 'address.answered' and used.data ->> 'answer' = 'mine')))`;

export interface ResetAsked {
  /** As `askForReset` sealed it. */
  name: string;
  keyRing: KeyRing;
  settings: SignInSettings;
  baseUrl: string;
}

/**
 * Sends the link to set another password, if the name is somebody's who is active, can be reached, and has a password: who comes in by an
 * identity provider alone gets no second way in. Nor is it sent to an address that somebody else wrote there, after which no link was
 * used: whoever may change profiles would choose who gets in, however long they wait. An address that came by an origin or the person is
 * waited for (`signIn.addresses`). Between such links there is a pause, so that nobody is flooded, and the ones before go on to work:
 * whoever asks takes none from the owner. Returns whether it was sent.
 */
export async function sendReset(work: Work, { name, keyRing, settings, baseUrl }: ResetAsked): Promise<boolean> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const holder = await findByLoginName(sql, { name: open(keyRing, { purpose: PURPOSE, sealed: name }), at: now });
  if (!holder?.present) return false;
  const { personId } = holder;
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rowCount } = await sql.query(
    `select from people p join passwords w on w.person_id = p.id where p.id = $1 and p.state = 'active' and p.email is not null
       and not exists (${REDIRECTED})`,
    [personId],
  );
  if (!rowCount || (await unsettledAddress(sql, { personId, now, settings: settings.addresses }))) return false;
  if (await isPaused(sql, { personId, now, settings: settings.links })) return false;
  await handOutLink(work, { personId, purpose: "reset", delivery: "send", keepEarlier: true, keyRing, settings, baseUrl });
  return true;
}
