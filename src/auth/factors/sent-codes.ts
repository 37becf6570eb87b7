import { createHmac, randomInt, timingSafeEqual } from "node:crypto";
import type { SealingKey } from "../../db/envelope.ts";

const DIGITS = 6;

/** A code of six random digits. */
export function newSentCode(): string {
  return String(randomInt(10 ** DIGITS)).padStart(DIGITS, "0");
}

/** What is kept of a code. Keyed with the person's key: six digits would be found from a bare hash at once. */
export function sentCodeHash(key: SealingKey, { challengeId, code }: { challengeId: string; code: string }): Buffer {
  return createHmac("sha256", key.bytes).update(`sent-code ${challengeId} ${code}`).digest();
}

/** Whether it is the code, spaces apart; in constant time. */
export function isSentCode(key: SealingKey, { challengeId, code, hash }: { challengeId: string; code: string; hash: Buffer }): boolean {
  const given = sentCodeHash(key, { challengeId, code: code.replaceAll(/\s/g, "") });
  return given.length === hash.length && timingSafeEqual(given, hash);
}
