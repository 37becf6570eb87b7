import type { Sql, Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { tryChallenge, useChallenge } from "./challenges.ts";
import type { FactorCall, Proof, SentKind } from "./kinds.ts";
import { keyOfPerson, openHeld } from "./sealed.ts";
import { sendCode } from "./sending.ts";
import { isSentCode } from "./sent-codes.ts";
import { totpStepOf } from "./totp.ts";

interface HoldingFactor {
  id: string;
  kind: string;
  label: string;
  sealed: string | null;
}

/** Which factor proved somebody. */
export type FactorProof = Proof<{ factorId: string }>;

/** Sends a code to an enrolled number or address. Throws `not_found` for what is not theirs, `rate_limited`. */
export async function sendFactorCode(
  work: Work,
  { factorId, ...call }: FactorCall & { factorId: string },
): Promise<{ until: Date; kind: SentKind; sentTo: string }> {
  const { personId, keyRing } = call;
  const factor = (await holdingFactors(work.sql, personId)).find(({ id }) => id === factorId);
  if (!factor || !isSentKind(factor.kind) || factor.sealed === null)
    throw new AppError("not_found", "There is no such number or address to send a code to.", { field: "factor" });
  const address = await openHeld(work, { keyRing, personId, factorId, sealed: factor.sealed });
  const until = await sendCode(work, { ...call, kind: factor.kind, address, purpose: "verify", factorId });
  return { until, kind: factor.kind, sentTo: factor.label };
}

/** Proves somebody by a code that was sent in this sign-in or session. It is used up by being right. */
export async function verifySentCode(work: Work, call: FactorCall & { kind: SentKind; code: string }): Promise<FactorProof> {
  const { personId, keyRing, boundTo, kind, code } = call;
  const waiting = await tryChallenge(work, { personId, kind, purpose: "verify", boundTo });
  if (!waiting?.codeHash || waiting.factorId === null) return { ok: false, why: "over" };
  const { id, factorId, codeHash } = waiting;
  const key = await keyOfPerson(work, { keyRing, personId });
  if (!isSentCode(key, { challengeId: id, code, hash: codeHash })) return { ok: false, why: "wrong" };
  if (!(await useChallenge(work, id))) return { ok: false, why: "over" };
  await work.sql.query("update factors set last_used_at = $2 where id = $1", [factorId, work.ctx.now()]);
  return { ok: true, factorId };
}

/**
 * Proves somebody by a code of any of their authenticator apps (RFC 6238). A code is accepted once, and none of an earlier time step after
 * it, however many ask at the same time. Tries are not counted here: the caller takes one from the limits before.
 */
export async function verifyTotp(
  work: Work,
  { personId, keyRing, code }: Pick<FactorCall, "personId" | "keyRing"> & { code: string },
): Promise<FactorProof> {
  const { ctx, sql } = work;
  for (const { id, kind, sealed } of await holdingFactors(sql, personId)) {
    if (kind !== "totp" || sealed === null) continue;
    const step = totpStepOf({ secret: await openHeld(work, { keyRing, personId, factorId: id, sealed }), code, now: ctx.now() });
    if (step === undefined) continue;
    const { rowCount } = await sql.query("update factors set last_step = $2, last_used_at = $3 where id = $1 and last_step < $2", [
      id,
      step,
      ctx.now(),
    ]);
    if (rowCount === 1) return { ok: true, factorId: id };
  }
  return { ok: false, why: "wrong" };
}

async function holdingFactors(sql: Sql, personId: string): Promise<HoldingFactor[]> {
  const { rows } = await sql.query<HoldingFactor>(
    "select id, kind, label, sealed from factors where person_id = $1 and sealed is not null order by created_at, id",
    [personId],
  );
  return rows;
}

function isSentKind(kind: string): kind is SentKind {
  return kind === "sms" || kind === "email";
}
