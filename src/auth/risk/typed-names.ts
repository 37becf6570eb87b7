import { createHash, createHmac } from "node:crypto";
import type { KeyRing } from "../../db/envelope.ts";

const LONGEST = 1000;

/**
 * A keyed hash of what somebody typed as their name: the same for spellings that the directory could take for one login, and coarser
 * than it, so that nobody gets a fresh budget by another spelling. The name itself is not kept: people type passwords there.
 */
export function typedNameHash(keyRing: KeyRing, name: string): string {
  const plain = name
    .slice(0, LONGEST)
    .normalize("NFKD")
    .replaceAll(/[\p{M}\p{C}\p{Z}]/gu, "")
    .toLowerCase()
    .replaceAll("ı", "i");
  return createHmac("sha256", keyRing.current.bytes).update(`typed-name\0${plain}`).digest("base64url").slice(0, 27);
}

/** Tells browsers apart without keeping what they say of themselves. */
export function userAgentHash(userAgent: string): string {
  return createHash("sha256").update(userAgent.slice(0, LONGEST)).digest("hex").slice(0, 16);
}
