import { randomBytes } from "node:crypto";
import { seal, type KeyRing } from "../../db/envelope.ts";
import { hookSecretPurpose } from "./state.ts";

/** A new one, sealed. 43 characters: it comes back in a header or a field that takes 128. */
export function newHookSecret(connection: string, keyRing: KeyRing): string {
  return seal(keyRing.current, { purpose: hookSecretPurpose(connection), plain: randomBytes(32).toString("base64url") });
}
