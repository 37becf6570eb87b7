import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { checkedAssertion, type ValidatedAssertion } from "./assertion.ts";
import { signedAssertion } from "./signed-assertion.ts";

export interface ValidateResponseOptions {
  settings: Pick<SamlSettings, "signed" | "requireEncryption" | "clockSkewSeconds" | "authnContext" | "authnContextComparison">;
  identityProvider: {
    entityId: string;
    /** PEM of all its signing certificates: two while it changes from one to the other. */
    certificates: readonly string[];
  };
  /** What we are called there, and where the response was received. */
  own: { entityId: string; acsUrl: string };
  /** PEM of our private keys, the one in use first. */
  decryptionKeys: readonly string[];
  now: Date;
}

/**
 * Base64 of a Response (HTTP-POST binding) to what it proves. Everything is judged but two things that need a memory: whether
 * we asked (`inResponseTo`), and whether the assertion comes for the first time (`id`, `usableUntil`).
 * Throws `unauthenticated`; the field says why, as in refusal.ts.
 */
export async function validateResponse(encoded: string, options: ValidateResponseOptions): Promise<ValidatedAssertion> {
  const { settings, identityProvider, own, decryptionKeys, now } = options;
  const { signed, requireEncryption } = settings;
  const { certificates, entityId } = identityProvider;
  const found = await signedAssertion(encoded, { signed, requireEncryption, certificates, decryptionKeys });
  return checkedAssertion(found, { settings, issuer: entityId, own, now, decryptionKeys });
}
