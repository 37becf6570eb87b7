import type { PublicKeyCredentialCreationOptionsJSON } from "@simplewebauthn/server";
import type { Work } from "../../db/database.ts";
import { messageOf } from "../../errors.ts";
import { CEREMONY_MINUTES, keepChallenge, newChallengeId, useCeremony } from "./challenges.ts";
import { requireAllowed, type Enrolled } from "./enrolment.ts";
import { addFactor } from "./factors.ts";
import type { FactorCall } from "./kinds.ts";
import { challengeOf, type RegistrationResponse } from "./passkey-responses.ts";
import { passkeysOf, userHandleOf } from "./passkeys.ts";
import type { RelyingParty } from "./relying-party.ts";
import { webAuthn } from "./web-authn.ts";

type PasskeyCall = FactorCall & { relyingParty: RelyingParty };

/**
 * Begins to enrol a passkey: what `navigator.credentials.create()` is given (WebAuthn section 5.4). One that can be found without a name
 * is preferred, so that it may stand for the password too. What made it is not asked: any authenticator is as good as the next.
 */
export async function beginPasskeyEnrolment(
  work: Work,
  { account, ...call }: PasskeyCall & { account: { userName: string; displayName: string } },
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { personId, boundTo, relyingParty, settings } = call;
  requireAllowed(settings, "passkey");
  const { generateRegistrationOptions } = await webAuthn();
  const options = await generateRegistrationOptions({
    rpName: relyingParty.name,
    rpID: relyingParty.id,
    userID: userHandleOf(personId),
    userName: account.userName,
    userDisplayName: account.displayName,
    attestationType: "none",
    timeout: CEREMONY_MINUTES * 60_000,
    excludeCredentials: await passkeysOf(work.sql, personId),
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
  });
  await keepChallenge(work, {
    id: newChallengeId(),
    personId,
    kind: "passkey",
    purpose: "enrol",
    boundTo,
    challenge: options.challenge,
    minutes: CEREMONY_MINUTES,
  });
  return options;
}

/** Enrols the passkey that the browser made. The challenge is used up either way. Throws `conflict` for one that is enrolled already. */
export async function finishPasskeyEnrolment(
  work: Work,
  { response, label, ...call }: PasskeyCall & { response: RegistrationResponse; label: string },
): Promise<Enrolled> {
  const { personId, boundTo, keyRing, relyingParty } = call;
  const challenge = challengeOf(response);
  if (challenge === undefined) return { ok: false, why: "wrong" };
  if (!(await useCeremony(work, { personId, purpose: "enrol", boundTo, challenge }))) return { ok: false, why: "over" };
  const made = await verified(work, { response, challenge, relyingParty });
  if (!made) return { ok: false, why: "wrong" };
  const { credential, credentialBackedUp: backedUp } = made;
  const passkey = {
    credentialId: Buffer.from(credential.id, "base64url"),
    publicKey: credential.publicKey,
    signCount: credential.counter,
    transports: response.response.transports,
    backedUp,
  };
  return { ok: true, ...(await addFactor(work, { keyRing, factor: { id: newChallengeId(), personId, kind: "passkey", label, passkey } })) };
}

async function verified(
  { ctx }: Work,
  { response, challenge, relyingParty }: { response: RegistrationResponse; challenge: string; relyingParty: RelyingParty },
) {
  const { id, rawId, type } = response;
  const { verifyRegistrationResponse } = await webAuthn();
  try {
    const result = await verifyRegistrationResponse({
      response: { id, rawId, type, response: response.response, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: relyingParty.origin,
      expectedRPID: relyingParty.id,
      requireUserVerification: false,
    });
    return result.verified ? result.registrationInfo : undefined;
  } catch (error) {
    // The library throws for whatever doesn't hold; to the person it is one answer.
    ctx.log.info({ why: messageOf(error) }, "a passkey was not enrolled");
    return undefined;
  }
}
