import { SAML, ValidateInResponseTo } from "@node-saml/passport-saml";
import { messageOf } from "../../errors.ts";
import { assertionShape, responseShape, type ResponseShape } from "./response-shape.ts";
import { decryptAssertion } from "./decryption.ts";
import { decodedMessage } from "./message-text.ts";
import { refused } from "./refusal.ts";
import { signedBytes } from "./signature.ts";
import type { XmlElement } from "./xml/element.ts";
import { MESSAGE_LIMITS, readXml } from "./xml/read.ts";

export interface SignedAssertionOptions {
  /** What must be signed; what is signed beyond that must hold, too. */
  signed: "assertion" | "response" | "both";
  requireEncryption: boolean;
  /** PEM of the identity provider's signing certificates. */
  certificates: readonly string[];
  /** PEM of our private keys. */
  decryptionKeys: readonly string[];
}

export interface SignedAssertion {
  /** The response around it: believed only where it is signed, and used for nothing but refusing. */
  response: XmlElement;
  /** Read from the bytes that a signature covers. */
  assertion: XmlElement;
}

/** Base64 of a Response to the assertion in it whose signature holds. Throws `unauthenticated`, its field saying why. */
export async function signedAssertion(encoded: string, options: SignedAssertionOptions): Promise<SignedAssertion> {
  const text = decodedMessage(encoded);
  const shape = responseShape(readXml(text, { limits: MESSAGE_LIMITS }));
  const { signed, requireEncryption, certificates } = options;
  if (requireEncryption && !shape.encrypted) throw refused("encryption", "The assertion is not encrypted, as this connection asks.");
  if (signed !== "assertion" && !shape.signed.response) throw refused("signature", "The response is not signed, as this connection asks.");
  // Before anything is decrypted, so that nobody can try changes of a ciphertext that a signature covers.
  if (shape.signed.response) signedBytes(shape.response, { text, certificates });
  const inner = await innerAssertion(shape, { text, options });
  if (signed !== "response" && !inner.signed) throw refused("signature", "The assertion is not signed, as this connection asks.");
  const bytes = await verifiedAssertion(text, {
    wantResponse: shape.signed.response,
    wantAssertion: inner.signed,
    certificates,
    key: inner.key,
  });
  return { response: shape.response, assertion: readXml(bytes, { limits: MESSAGE_LIMITS }) };
}

async function innerAssertion(
  shape: ResponseShape,
  { text, options }: { text: string; options: SignedAssertionOptions },
): Promise<{ signed: boolean; key?: string }> {
  if (!shape.encrypted) return { signed: shape.signed.assertion };
  const { decryptionKeys: keys } = options;
  const { xml, key } = await decryptAssertion(shape.assertion, { text, keys, signedAround: shape.signed.response });
  return { signed: assertionShape(readXml(xml, { limits: MESSAGE_LIMITS })).signed, key };
}

interface Verification {
  wantResponse: boolean;
  wantAssertion: boolean;
  certificates: readonly string[];
  key: string | undefined;
}

/** The library checks the signatures and gives the bytes that they cover; times, audience and the rest are ours to judge by our own clock. */
async function verifiedAssertion(text: string, { wantResponse, wantAssertion, certificates, key }: Verification): Promise<string> {
  if (certificates.length === 0) throw refused("signature", "No certificate of the identity provider is known: its metadata has none.");
  const saml = new SAML({
    callbackUrl: "urn:unused",
    issuer: "urn:unused",
    idpCert: [...certificates],
    wantAuthnResponseSigned: wantResponse,
    wantAssertionsSigned: wantAssertion,
    audience: false,
    acceptedClockSkewMs: -1,
    validateInResponseTo: ValidateInResponseTo.never,
    ...(key === undefined ? {} : { decryptionPvk: key }),
  });
  try {
    const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(text).toString("base64") });
    const bytes = profile?.getAssertionXml?.();
    if (bytes !== undefined) return bytes;
  } catch (error) {
    throw refused("signature", `The signature was not accepted: ${messageOf(error)}.`, error);
  }
  throw refused("shape", "The response holds no assertion.");
}
