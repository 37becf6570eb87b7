import type { Work } from "../../db/database.ts";
import { tellPerson } from "../../directory/notices.ts";
import { AppError } from "../../errors.ts";
import { keepChallenge, newChallengeId, type Purpose } from "./challenges.ts";
import type { FactorCall, SentKind } from "./kinds.ts";
import { keyOfPerson, sealHeld } from "./sealed.ts";
import { newSentCode, sentCodeHash } from "./sent-codes.ts";

const HOUR_MS = 3_600_000;

/**
 * Sends a code that is good once, for some minutes and five tries, in place of an earlier one. Returns until when it is good.
 * Throws `rate_limited` with `retryAfter` when too many were sent within an hour: each is five more tries, and somebody's telephone.
 */
export async function sendCode(
  work: Work,
  call: FactorCall & { kind: SentKind; address: string; purpose: Purpose; factorId?: string },
): Promise<Date> {
  const { personId, keyRing, kind, address, purpose, boundTo, settings } = call;
  await refuseTooMany(work, call);
  const id = newChallengeId();
  const code = newSentCode();
  const key = await keyOfPerson(work, { keyRing, personId });
  const until = await keepChallenge(work, {
    id,
    personId,
    ...(call.factorId === undefined ? {} : { factorId: call.factorId }),
    kind,
    purpose,
    boundTo,
    codeHash: sentCodeHash(key, { challengeId: id, code }),
    ...(purpose === "enrol" ? { sealed: await sealHeld(work, { keyRing, personId, factorId: id, plain: address }) } : {}),
    minutes: settings.codeMinutes,
  });
  await tellPerson(work, {
    keyRing,
    personId,
    notice: "code",
    data: { code, until: until.toISOString() },
    to: { channel: kind, address },
  });
  return until;
}

async function refuseTooMany({ ctx, sql }: Work, { personId, settings }: FactorCall): Promise<void> {
  // Of two that are asked for at once, the second sees the first.
  await sql.query("select from people where id = $1 for no key update", [personId]);
  const now = ctx.now();
  const { rows } = await sql.query<{ sent: number; first: Date | null }>(
    `select count(*)::int as sent, min(created_at) as first from (
       select created_at from factor_challenges where person_id = $1 and code_hash is not null and created_at > $2 order by created_at desc limit $3) recent`,
    [personId, new Date(now.getTime() - HOUR_MS), settings.codesAnHour],
  );
  const [found] = rows;
  if (!found?.first || found.sent < settings.codesAnHour) return;
  const retryAfter = Math.max(1, Math.ceil((found.first.getTime() + HOUR_MS - now.getTime()) / 1000));
  throw new AppError("rate_limited", "Too many codes were sent: wait, or prove yourself in another way.", { retryAfter });
}
