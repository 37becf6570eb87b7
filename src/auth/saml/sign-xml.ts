import { SignedXml } from "xml-crypto";
import { CANONICALISATION, ENVELOPED } from "./names.ts";
import type { OwnKey } from "./own-keys.ts";
import { methodFor, XML_ALGORITHMS } from "./signature-methods.ts";

/** The root of a text, signed by an enveloped signature: its first child, or where the schema has an Issuer before it, the second. */
export function signedXml(xml: string, { key, after }: { key: Pick<OwnKey, "privateKey" | "certificate">; after?: "Issuer" }): string {
  const signer = new SignedXml({
    privateKey: key.privateKey,
    publicCert: key.certificate,
    signatureAlgorithm: methodFor(key.privateKey),
    canonicalizationAlgorithm: CANONICALISATION,
  });
  signer.SignatureAlgorithms = XML_ALGORITHMS;
  signer.addReference({
    xpath: "/*",
    transforms: [ENVELOPED, CANONICALISATION],
    digestAlgorithm: "http://www.w3.org/2001/04/xmlenc#sha256",
  });
  const location = after === undefined ? { reference: "/*", action: "prepend" as const } : { reference: ISSUER, action: "after" as const };
  signer.computeSignature(xml, { prefix: "ds", location });
  return signer.getSignedXml();
}

const ISSUER = "/*/*[local-name(.)='Issuer']";
