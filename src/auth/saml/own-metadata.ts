import { SignedXml } from "xml-crypto";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { base64Of } from "./certificate.ts";
import {
  BINDINGS,
  CANONICALISATION,
  ENCRYPTION_ALGORITHMS,
  ENVELOPED,
  MALLEABLE_ENCRYPTION_ALGORITHMS,
  NAME_ID_FORMATS,
  NAMESPACES,
} from "./names.ts";
import type { OwnEndpoints } from "./own-endpoints.ts";
import type { OwnKey } from "./own-keys.ts";
import { escaped } from "./xml/escape.ts";

export interface OwnMetadataOptions {
  endpoints: OwnEndpoints;
  settings: Pick<SamlSettings, "signMetadata" | "signRequests" | "signed" | "nameIdFormat">;
  keys: readonly OwnKey[];
}

/**
 * What we tell an identity provider of us (saml-metadata-2.0). The certificates of the key in use and of the next one are in it, so
 * that it knows the next before it signs; only the newest is given for encryption.
 */
export function ownMetadata({ endpoints, settings, keys }: OwnMetadataOptions): string {
  const published = keys.filter(({ state }) => state !== "replaced");
  const current = published.find(({ state }) => state === "current");
  const newest = published.find(({ state }) => state === "next") ?? current;
  const { entityId, acsUrl, sloUrl } = endpoints;
  const id = `_${(current?.id ?? "metadata").replaceAll("-", "")}`;
  const descriptors = [
    ...published.map(({ certificate }) => keyDescriptor("signing", certificate)),
    ...(newest ? [keyDescriptor("encryption", newest.certificate, [...ENCRYPTION_ALGORITHMS, ...MALLEABLE_ENCRYPTION_ALGORITHMS])] : []),
  ];
  const xml = `<md:EntityDescriptor xmlns:md="${NAMESPACES.metadata}" ID="${id}" entityID="${escaped(entityId)}"><md:SPSSODescriptor AuthnRequestsSigned="${settings.signRequests}" WantAssertionsSigned="${settings.signed !== "response"}" protocolSupportEnumeration="${NAMESPACES.protocol}">${descriptors.join("")}<md:SingleLogoutService Binding="${BINDINGS.redirect}" Location="${escaped(sloUrl)}"/><md:SingleLogoutService Binding="${BINDINGS.post}" Location="${escaped(sloUrl)}"/><md:NameIDFormat>${NAME_ID_FORMATS[settings.nameIdFormat]}</md:NameIDFormat><md:AssertionConsumerService Binding="${BINDINGS.post}" Location="${escaped(acsUrl)}" index="0" isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>`;
  return settings.signMetadata && current ? signedMetadata(xml, current) : xml;
}

function keyDescriptor(use: "signing" | "encryption", certificate: string, methods: readonly string[] = []): string {
  const offered = methods.map((algorithm) => `<md:EncryptionMethod Algorithm="${algorithm}"/>`).join("");
  return `<md:KeyDescriptor use="${use}"><ds:KeyInfo xmlns:ds="${NAMESPACES.signature}"><ds:X509Data><ds:X509Certificate>${base64Of(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>${offered}</md:KeyDescriptor>`;
}

/** The signature is the first child of what it covers, as the schema wants it. */
function signedMetadata(xml: string, { privateKey, certificate }: OwnKey): string {
  const signer = new SignedXml({
    privateKey,
    publicCert: certificate,
    signatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    canonicalizationAlgorithm: CANONICALISATION,
  });
  signer.addReference({
    xpath: "/*",
    transforms: [ENVELOPED, CANONICALISATION],
    digestAlgorithm: "http://www.w3.org/2001/04/xmlenc#sha256",
  });
  signer.computeSignature(xml, { prefix: "ds", location: { reference: "/*", action: "prepend" } });
  return signer.getSignedXml();
}
