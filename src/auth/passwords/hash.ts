import { randomBytes } from "node:crypto";
import { hash, parseOptions, verify } from "@node-rs/argon2";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { opaqueString } from "./opaque-string.ts";

export type PasswordSettings = SignInSettings["password"];

type Costs = PasswordSettings["argon2"];

/** Argon2id, RFC 9106. The library's enumeration has no values at run time. */
const ARGON2ID = 2;
const TAG_BYTES = 32;
const SALT_BYTES = 16;

/** The PHC string of a password: `$argon2id$v=19$m=…,t=…,p=…$salt$tag`. */
export function hashPassword(password: string, { memoryKiB, passes, lanes }: Costs): Promise<string> {
  return hash(opaqueString(password), {
    algorithm: ARGON2ID,
    memoryCost: memoryKiB,
    timeCost: passes,
    parallelism: lanes,
    outputLen: TAG_BYTES,
  });
}

/** Whether the hash is of this password. The library compares in constant time, and hashes outside of the event loop. */
export function isPassword(password: string, hashed: string): Promise<boolean> {
  return verify(hashed, opaqueString(password));
}

/** Whether the hash was made with other costs than those of today. */
export function isOfOtherCosts(hashed: string, { memoryKiB, passes, lanes }: Costs): boolean {
  const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(hashed);
  return Number(algorithm) !== ARGON2ID || memoryCost !== memoryKiB || timeCost !== passes || parallelism !== lanes;
}

/** A hash of nothing, that costs what others cost to compare with: what is asked where there is no password. */
export function hashOfNothing({ memoryKiB, passes, lanes }: Costs): string {
  const text = (bytes: number) => randomBytes(bytes).toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${text(SALT_BYTES)}$${text(TAG_BYTES)}`;
}
