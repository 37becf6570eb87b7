import { createPrivateKey } from "node:crypto";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { base64Of } from "./certificate.ts";
import { BINDINGS, ENCRYPTION_ALGORITHMS, MALLEABLE_ENCRYPTION_ALGORITHMS, NAME_ID_FORMATS, NAMESPACES } from "./names.ts";
import type { OwnEndpoints } from "./own-endpoints.ts";
import type { OwnKey } from "./own-keys.ts";
import { signedXml } from "./sign-xml.ts";
import { escaped } from "./xml/escape.ts";

export interface OwnMetadataOptions {
  endpoints: OwnEndpoints;
  settings: Pick<SamlSettings, "signMetadata" | "signRequests" | "signed" | "nameIdFormat">;
  keys: readonly OwnKey[];
}

/**
 * What we tell an identity provider of us (saml-metadata-2.0). The certificates of the key in use and of the next one are in it, so
 * that it knows the next before it signs; only the newest is given for encryption, and only one of RSA.
 */
export function ownMetadata({ endpoints, settings, keys }: OwnMetadataOptions): string {
  const published = keys.filter(({ state }) => state !== "replaced");
  const current = published.find(({ state }) => state === "current");
  const newest = published.filter(opens).toSorted((one, other) => Number(other.state === "next") - Number(one.state === "next"))[0];
  const { entityId, acsUrl, sloUrl } = endpoints;
  const id = `_${(current?.id ?? "metadata").replaceAll("-", "")}`;
  const descriptors = [
    ...published.map(({ certificate }) => keyDescriptor("signing", certificate)),
    ...(newest ? [keyDescriptor("encryption", newest.certificate, [...ENCRYPTION_ALGORITHMS, ...MALLEABLE_ENCRYPTION_ALGORITHMS])] : []),
  ];
  const xml = `<md:EntityDescriptor xmlns:md="${NAMESPACES.metadata}" ID="${id}" entityID="${escaped(entityId)}"><md:SPSSODescriptor AuthnRequestsSigned="${settings.signRequests}" WantAssertionsSigned="${settings.signed !== "response"}" protocolSupportEnumeration="${NAMESPACES.protocol}">${descriptors.join("")}<md:SingleLogoutService Binding="${BINDINGS.redirect}" Location="${escaped(sloUrl)}"/><md:SingleLogoutService Binding="${BINDINGS.post}" Location="${escaped(sloUrl)}"/><md:NameIDFormat>${NAME_ID_FORMATS[settings.nameIdFormat]}</md:NameIDFormat><md:AssertionConsumerService Binding="${BINDINGS.post}" Location="${escaped(acsUrl)}" index="0" isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>`;
  // The signature is the first child of what it covers, as the schema wants it.
  return settings.signMetadata && current ? signedXml(xml, { key: current }) : xml;
}

function opens({ privateKey }: OwnKey): boolean {
  return createPrivateKey(privateKey).asymmetricKeyType === "rsa";
}

function keyDescriptor(use: "signing" | "encryption", certificate: string, methods: readonly string[] = []): string {
  const offered = methods.map((algorithm) => `<md:EncryptionMethod Algorithm="${algorithm}"/>`).join("");
  return `<md:KeyDescriptor use="${use}"><ds:KeyInfo xmlns:ds="${NAMESPACES.signature}"><ds:X509Data><ds:X509Certificate>${base64Of(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>${offered}</md:KeyDescriptor>`;
}
