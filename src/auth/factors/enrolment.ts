import type { Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { maskAddress, parseAddress } from "./address.ts";
import { CEREMONY_MINUTES, keepChallenge, newChallengeId, tryChallenge, useChallenge } from "./challenges.ts";
import { addFactor } from "./factors.ts";
import type { FactorCall, FactorKind, Proof, SentKind } from "./kinds.ts";
import { keyOfPerson, openHeld, sealHeld } from "./sealed.ts";
import { sendCode } from "./sending.ts";
import { isSentCode } from "./sent-codes.ts";
import { newTotpSecret, totpStepOf, totpUri } from "./totp.ts";

/** What came of an enrolment. Recovery codes come with the first factor, and are shown this once. */
export type Enrolled = Proof<{ factorId: string; recoveryCodes: string[] | null }>;

/** Throws `forbidden` for a kind that the settings don't allow. */
export function requireAllowed(settings: FactorCall["settings"], kind: FactorKind): void {
  if (!settings.allowed.includes(kind))
    throw new AppError("forbidden", "This kind of second factor is not in use here: choose another.", { field: "kind" });
}

/** Begins to enrol an authenticator app: the secret that it is to hold, to be shown to the person alone, and its address for a QR code. */
export async function beginTotpEnrolment(
  work: Work,
  { account, ...call }: FactorCall & { account: string },
): Promise<{ secret: string; uri: string }> {
  const { personId, keyRing, boundTo, settings } = call;
  requireAllowed(settings, "totp");
  const id = newChallengeId();
  const secret = newTotpSecret();
  await keepChallenge(work, {
    id,
    personId,
    kind: "totp",
    purpose: "enrol",
    boundTo,
    sealed: await sealHeld(work, { keyRing, personId, factorId: id, plain: secret }),
    minutes: CEREMONY_MINUTES,
  });
  return { secret, uri: totpUri({ secret, issuer: settings.issuer, label: account }) };
}

/** Enrols the app with a code that it shows. That code is used up with it. */
export async function finishTotpEnrolment(work: Work, call: FactorCall & { code: string; label: string }): Promise<Enrolled> {
  const { personId, keyRing, boundTo, code, label } = call;
  const waiting = await tryChallenge(work, { personId, kind: "totp", purpose: "enrol", boundTo });
  if (!waiting?.sealed) return { ok: false, why: "over" };
  const { id, sealed } = waiting;
  const secret = await openHeld(work, { keyRing, personId, factorId: id, sealed });
  const lastStep = totpStepOf({ secret, code, now: work.ctx.now() });
  if (lastStep === undefined) return { ok: false, why: "wrong" };
  if (!(await useChallenge(work, id))) return { ok: false, why: "over" };
  return { ok: true, ...(await addFactor(work, { keyRing, factor: { id, personId, kind: "totp", label, sealed, lastStep } })) };
}

/** Begins to enrol a number or an address: sends a code there. Throws `invalid` for what is none, `rate_limited`. */
export async function beginAddressEnrolment(
  work: Work,
  { address, kind, ...call }: FactorCall & { kind: SentKind; address: string },
): Promise<{ until: Date; sentTo: string }> {
  requireAllowed(call.settings, kind);
  const parsed = parseAddress(kind, address);
  return { until: await sendCode(work, { ...call, kind, address: parsed, purpose: "enrol" }), sentTo: maskAddress(kind, parsed) };
}

/** Enrols the number or address with the code that came there. It is called by as much of it as tells it apart. */
export async function finishAddressEnrolment(work: Work, call: FactorCall & { kind: SentKind; code: string }): Promise<Enrolled> {
  const { personId, keyRing, boundTo, kind, code } = call;
  const waiting = await tryChallenge(work, { personId, kind, purpose: "enrol", boundTo });
  if (!waiting?.sealed || !waiting.codeHash) return { ok: false, why: "over" };
  const { id, sealed, codeHash } = waiting;
  const key = await keyOfPerson(work, { keyRing, personId });
  if (!isSentCode(key, { challengeId: id, code, hash: codeHash })) return { ok: false, why: "wrong" };
  if (!(await useChallenge(work, id))) return { ok: false, why: "over" };
  const label = maskAddress(kind, await openHeld(work, { keyRing, personId, factorId: id, sealed }));
  return { ok: true, ...(await addFactor(work, { keyRing, factor: { id, personId, kind, label, sealed } })) };
}
