import type { PublicKeyCredentialRequestOptionsJSON } from "@simplewebauthn/server";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import { messageOf } from "../../errors.ts";
import { CEREMONY_MINUTES, keepChallenge, newChallengeId, useCeremony } from "./challenges.ts";
import type { Proof } from "./kinds.ts";
import { challengeOf, type AuthenticationResponse } from "./passkey-responses.ts";
import type { RelyingParty } from "./relying-party.ts";
import { webAuthn } from "./web-authn.ts";

/** Who is asked to show a passkey. Null: nobody is known yet, the passkey alone says who is there, and has to have verified them. */
export interface PasskeyQuestion {
  personId: string | null;
  boundTo: string;
  relyingParty: RelyingParty;
}

/** The name under which an authenticator keeps somebody's passkey (WebAuthn section 5.4.3): their id, which tells nobody who they are. */
export function userHandleOf(personId: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(personId.replaceAll("-", ""), "hex"));
}

/** The credentials of somebody's passkeys, as browsers are told of them. */
export async function passkeysOf(sql: Sql, personId: string): Promise<{ id: string; transports: string[] }[]> {
  const { rows } = await sql.query<{ credentialId: Buffer; transports: string[] }>(
    `select credential_id as "credentialId", transports from factors where person_id = $1 and kind = 'passkey' order by created_at, id`,
    [personId],
  );
  return rows.map(({ credentialId, transports }) => ({ id: credentialId.toString("base64url"), transports }));
}

/** Asks for a passkey: what `navigator.credentials.get()` is given (WebAuthn section 5.5). */
export async function askForPasskey(
  work: Work,
  { personId, boundTo, relyingParty }: PasskeyQuestion,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await webAuthn();
  const options = await generateAuthenticationOptions({
    rpID: relyingParty.id,
    timeout: CEREMONY_MINUTES * 60_000,
    userVerification: personId === null ? "required" : "preferred",
    ...(personId === null ? {} : { allowCredentials: await passkeysOf(work.sql, personId) }),
  });
  await keepChallenge(work, {
    id: newChallengeId(),
    personId,
    kind: "passkey",
    purpose: personId === null ? "passwordless" : "verify",
    boundTo,
    challenge: options.challenge,
    minutes: CEREMONY_MINUTES,
  });
  return options;
}

/** Who proved themselves. `userVerified`: the authenticator has seen a PIN, a finger or a face, so that it is two factors in one. */
export type PasskeyProof = Proof<{ personId: string; factorId: string; userVerified: boolean }>;

/**
 * Proves somebody by a passkey (WebAuthn section 7.2). The challenge is used up either way. A counter that does not go on from where it was
 * is refused and recorded: there may be a copy of the passkey.
 */
export async function verifyPasskey(
  work: Work,
  { response, ...question }: PasskeyQuestion & { response: AuthenticationResponse },
): Promise<PasskeyProof> {
  const { personId, boundTo } = question;
  const challenge = challengeOf(response);
  if (challenge === undefined) return { ok: false, why: "wrong" };
  const purpose = personId === null ? "passwordless" : "verify";
  if (!(await useCeremony(work, { personId, purpose, boundTo, challenge }))) return { ok: false, why: "over" };
  const known = await storedPasskey(work.sql, response.id);
  if (!known || (personId !== null && known.personId !== personId) || !isHandleOf(response, known.personId))
    return { ok: false, why: "wrong" };
  const shown = await verified(work, { known, response, challenge, question });
  if (!shown) return { ok: false, why: "wrong" };
  if (!(await goOnCounting(work, { known, count: shown.newCounter, backedUp: shown.credentialBackedUp })))
    return { ok: false, why: "wrong" };
  return { ok: true, personId: known.personId, factorId: known.id, userVerified: shown.userVerified };
}

interface StoredPasskey {
  id: string;
  personId: string;
  publicKey: Buffer;
  signCount: number;
}

async function storedPasskey(sql: Sql, credentialId: string): Promise<StoredPasskey | undefined> {
  const { rows } = await sql.query<StoredPasskey>(
    `select id, person_id as "personId", public_key as "publicKey", sign_count as "signCount" from factors where credential_id = $1`,
    [Buffer.from(credentialId, "base64url")],
  );
  return rows[0];
}

function isHandleOf({ response: { userHandle } }: AuthenticationResponse, personId: string): boolean {
  return !userHandle || Buffer.from(userHandle, "base64url").equals(userHandleOf(personId));
}

interface Shown {
  known: StoredPasskey;
  response: AuthenticationResponse;
  challenge: string;
  question: PasskeyQuestion;
}

async function verified({ ctx }: Work, { known, response, challenge, question }: Shown) {
  const { id, rawId, type } = response;
  const { clientDataJSON, authenticatorData, signature } = response.response;
  const { verifyAuthenticationResponse } = await webAuthn();
  try {
    const { verified: holds, authenticationInfo } = await verifyAuthenticationResponse({
      response: { id, rawId, type, response: { clientDataJSON, authenticatorData, signature }, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: question.relyingParty.origin,
      expectedRPID: question.relyingParty.id,
      // The counter is compared where it is written: two requests at once must not both go on from the same one.
      credential: { id, publicKey: new Uint8Array(known.publicKey), counter: 0 },
      requireUserVerification: question.personId === null,
    });
    return holds ? authenticationInfo : undefined;
  } catch (error) {
    // The library throws for whatever doesn't hold; to the person it is one answer.
    ctx.log.info({ why: messageOf(error), factor: known.id }, "a passkey was not accepted");
    return undefined;
  }
}

/** Moves the counter on (WebAuthn section 7.2, step 22): upwards, or from 0 to 0 for authenticators that don't count. */
async function goOnCounting(
  work: Work,
  { known, count, backedUp }: { known: StoredPasskey; count: number; backedUp: boolean },
): Promise<boolean> {
  const { rowCount } = await work.sql.query(
    `update factors set sign_count = $2, last_used_at = $3, backed_up = $4 where id = $1 and ($2 > sign_count or ($2 = 0 and sign_count = 0))`,
    [known.id, count, work.ctx.now(), backedUp],
  );
  if (rowCount === 1) return true;
  await recordEvent(work, {
    name: "factor.counter_regressed",
    subjectType: "person",
    subjectId: known.personId,
    reason: "there may be a copy of this passkey",
    data: { factor: known.id, known: known.signCount, came: count },
  });
  return false;
}
