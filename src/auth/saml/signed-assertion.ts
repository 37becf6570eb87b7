import { SAML, ValidateInResponseTo } from "@node-saml/passport-saml";
import { messageOf } from "../../errors.ts";
import { assertionShape, responseShape, signatureMethodsIn, type ResponseShape } from "./response-shape.ts";
import { decryptElement } from "./decryption.ts";
import { decodedMessage } from "./message-text.ts";
import { NAMESPACES } from "./names.ts";
import { refused } from "./refusal.ts";
import { signedBytes } from "./signature.ts";
import { onlyChild, type XmlElement } from "./xml/element.ts";
import { MESSAGE_LIMITS, readXml } from "./xml/read.ts";
import { selfContained } from "./xml/self-contained.ts";

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
  /** These bytes. */
  text: string;
}

const { assertion: namespace } = NAMESPACES;
const RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-";
/** What node-saml can check; it knows no elliptic curves. */
const LIBRARY_METHODS: ReadonlySet<string> = new Set([`${RSA}sha256`, `${RSA}sha512`]);

/** Base64 of a Response to the assertion in it whose signature holds. Throws `unauthenticated`, its field saying why. */
export async function signedAssertion(encoded: string, options: SignedAssertionOptions): Promise<SignedAssertion> {
  const text = decodedMessage(encoded);
  const shape = responseShape(readXml(text, { limits: MESSAGE_LIMITS }));
  const { signed, requireEncryption, certificates } = options;
  if (requireEncryption && !shape.encrypted) throw refused("encryption", "The assertion is not encrypted, as this connection asks.");
  if (signed !== "assertion" && !shape.signed.response) throw refused("signature", "The response is not signed, as this connection asks.");
  // Before anything is decrypted, so that nobody can try changes of a ciphertext that a signature covers.
  const covered = shape.signed.response ? signedBytes(shape.response, { text, certificates }) : undefined;
  const inner = await innerAssertion(shape, { text, covered, options });
  if (signed !== "response" && !inner.signed) throw refused("signature", "The assertion is not signed, as this connection asks.");
  const methods = [...signatureMethodsIn(shape.response), ...signatureMethodsIn(inner.element)];
  const bytes = methods.every((method) => LIBRARY_METHODS.has(method))
    ? await verifiedAssertion(text, { wantResponse: shape.signed.response, wantAssertion: inner.signed, certificates, key: inner.key })
    : assertionBytes(inner, { covered, certificates });
  return { response: shape.response, assertion: readXml(bytes, { limits: MESSAGE_LIMITS }), text: bytes };
}

interface InnerAssertion {
  element: XmlElement;
  /** What it was read from. */
  text: string;
  signed: boolean;
  /** PEM of the key that opened it, where it was encrypted. */
  key?: string;
}

async function innerAssertion(
  shape: ResponseShape,
  { text, covered, options }: { text: string; covered: string | undefined; options: SignedAssertionOptions },
): Promise<InnerAssertion> {
  if (!shape.encrypted) return { element: shape.assertion, text, signed: shape.signed.assertion };
  const { decryptionKeys: keys } = options;
  const encrypted = covered === undefined ? shape.assertion : childOf(covered, "EncryptedAssertion");
  const { xml, key } = await decryptElement(encrypted, { text: covered ?? text, keys, signedAround: covered !== undefined });
  const element = readXml(xml, { limits: MESSAGE_LIMITS });
  return { element, text: xml, signed: assertionShape(element).signed, key };
}

/** The assertion's bytes as its own signature covers them, or as they stand in what the response's covers: opened from there, or read from there. */
function assertionBytes(
  { element, text, signed, key }: InnerAssertion,
  { covered, certificates }: { covered: string | undefined; certificates: readonly string[] },
): string {
  if (signed) return signedBytes(element, { text, certificates });
  if (covered === undefined) throw refused("signature", "Nothing of the response is signed.");
  if (key !== undefined) return text;
  return selfContained(childOf(covered, "Assertion"), covered);
}

function childOf(response: string, name: "Assertion" | "EncryptedAssertion"): XmlElement {
  const found = onlyChild(readXml(response, { limits: MESSAGE_LIMITS }), { namespace, name });
  if (!found) throw refused("shape", "What is signed holds no assertion.");
  return found;
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
