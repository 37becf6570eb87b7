import { SignedXml } from "xml-crypto";
import { NAMESPACES } from "./names.ts";
import { refused } from "./refusal.ts";
import { XML_ALGORITHMS } from "./signature-methods.ts";
import { onlyChild, type XmlElement } from "./xml/element.ts";
import { selfContained } from "./xml/self-contained.ts";

export interface VerifyOptions {
  /** What the element was read from, line ends normalised. */
  text: string;
  /** PEM of each certificate that is believed; what the message says itself of keys is not looked at. */
  certificates: readonly string[];
}

/**
 * The bytes that the element's own enveloped signature covers, in canonical form: the only ones to read anything from.
 * The signature's shape is checked before (checkSignatures). Throws `unauthenticated`, field `saml.signature`.
 */
export function signedBytes(element: XmlElement, { text, certificates }: VerifyOptions): string {
  const signature = onlyChild(element, { namespace: NAMESPACES.signature, name: "Signature" });
  if (!signature) throw refused("signature", "The message is not signed.");
  const signatureXml = selfContained(signature, text);
  for (const certificate of certificates) {
    const bytes = bytesSignedWith(certificate, { text, signatureXml });
    if (bytes !== undefined) return bytes;
  }
  throw refused(
    "signature",
    certificates.length === 0
      ? "No certificate of the sender is known."
      : "The signature does not hold with any of the certificates that are known of the sender.",
  );
}

function bytesSignedWith(certificate: string, { text, signatureXml }: { text: string; signatureXml: string }): string | undefined {
  const signed = new SignedXml({ publicCert: certificate, getCertFromKeyInfo: () => null });
  signed.SignatureAlgorithms = XML_ALGORITHMS;
  try {
    signed.loadSignature(signatureXml);
    if (!signed.checkSignature(text)) return undefined;
  } catch {
    // The library throws for what does not hold, and for keys of another kind: the next certificate may fit.
    return undefined;
  }
  const [bytes, ...more] = signed.getSignedReferences();
  return more.length === 0 ? bytes : undefined;
}
