import { generateKeyPairSync, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { SignedXml } from "xml-crypto";
import { encrypt, type EncryptionAlgorithm } from "xml-encryption";
import { base64Of, selfSignedCertificate } from "../../../src/auth/saml/certificate.ts";
import { methodFor, XML_ALGORITHMS } from "../../../src/auth/saml/signature-methods.ts";
import { rsaKey } from "../../helpers/rsa-key.ts";

/** An identity provider's (or our own) key, as PEM. */
export interface Keys {
  privateKey: string;
  publicKey: string;
  certificate: string;
}

/** Keys over RSA are the same for the same name. */
export function newKeys(commonName = "test", { curve }: { curve?: string } = {}): Keys {
  const { privateKey, publicKey } = curve === undefined ? rsaKey(`saml ${commonName}`) : generateKeyPairSync("ec", { namedCurve: curve });
  const [from, until] = [new Date("2026-01-01T00:00:00Z"), new Date("2036-01-01T00:00:00Z")];
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    certificate: selfSignedCertificate({ privateKey, commonName, from, until }),
  };
}

export const IDP = "https://idp.example.org/saml";
export const SP = "https://rollcall.example.com/saml/corp/metadata";
export const ACS = "https://rollcall.example.com/saml/corp/acs";
export const NOW = new Date("2027-03-01T12:00:00Z");

/** Settings of a connection that asks for no way of proving oneself in particular. */
export const NO_CONTEXT = { authnContext: [] as string[], authnContextComparison: "exact" as const };

const from = (now: Date) => (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString();

export interface AssertionParts {
  now?: Date;
  id?: string;
  issuer?: string;
  nameId?: string;
  audience?: string;
  recipient?: string;
  inResponseTo?: string | undefined;
  from?: string;
  until?: string;
  confirmedUntil?: string;
  authenticatedAt?: string;
  sessionIndex?: string;
  /** When the session at the identity provider ends. */
  sessionUntil?: string;
  attributes?: Readonly<Record<string, readonly string[]>>;
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

export function newId(): string {
  return `_${randomBytes(16).toString("hex")}`;
}

/** An assertion as identity providers make them, unsigned. */
export function assertionXml(parts: AssertionParts = {}): string {
  const at = from(parts.now ?? NOW);
  const { id = newId(), issuer = IDP, nameId = "ada@example.org", audience = SP, recipient = ACS } = parts;
  const { inResponseTo = "_request", from: begins = at(-60), until = at(300), confirmedUntil = until, authenticatedAt = at(-30) } = parts;
  const asked = "inResponseTo" in parts && parts.inResponseTo === undefined ? "" : ` InResponseTo="${escaped(inResponseTo)}"`;
  const sessionEnds = parts.sessionUntil === undefined ? "" : ` SessionNotOnOrAfter="${parts.sessionUntil}"`;
  const attributes = Object.entries(parts.attributes ?? { mail: ["ada@example.org"] }).map(
    ([name, values]) =>
      `<saml:Attribute Name="${escaped(name)}">${values.map((value) => `<saml:AttributeValue>${escaped(value)}</saml:AttributeValue>`).join("")}</saml:Attribute>`,
  );
  return `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${id}" Version="2.0" IssueInstant="${at(-10)}"><saml:Issuer>${escaped(issuer)}</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">${nameId}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="${confirmedUntil}" Recipient="${escaped(recipient)}"${asked}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${begins}" NotOnOrAfter="${until}"><saml:AudienceRestriction><saml:Audience>${escaped(audience)}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="${authenticatedAt}" SessionIndex="${parts.sessionIndex ?? "_session"}"${sessionEnds}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>${attributes.join("")}</saml:AttributeStatement></saml:Assertion>`;
}

export interface ResponseParts {
  now?: Date;
  id?: string;
  issuer?: string;
  destination?: string;
  inResponseTo?: string | undefined;
  status?: string;
}

/** A response around an assertion, unsigned. */
export function responseXml(inner: string, parts: ResponseParts = {}): string {
  const at = from(parts.now ?? NOW);
  const { id = newId(), issuer = IDP, destination = ACS, inResponseTo = "_request", status = "Success" } = parts;
  const asked = "inResponseTo" in parts && parts.inResponseTo === undefined ? "" : ` InResponseTo="${escaped(inResponseTo)}"`;
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="${id}" Version="2.0" IssueInstant="${at(-10)}" Destination="${escaped(destination)}"${asked}><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${escaped(issuer)}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${status}"/></samlp:Status>${inner}</samlp:Response>`;
}

export interface SignOptions {
  key: string;
  /** The element that is signed, by its local name. */
  element: string;
  /** That of the key over SHA-256 when absent. */
  algorithm?: "rsa-sha1" | "hmac-sha1" | "ecdsa-sha512" | "rsa-sha384";
}

const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";

/** Signs one element of a text with an enveloped signature behind its Issuer. */
export function signed(xml: string, { key, element, algorithm }: SignOptions): string {
  const weak = algorithm === "rsa-sha1" || algorithm === "hmac-sha1";
  const strong = algorithm === undefined ? methodFor(key) : `http://www.w3.org/2001/04/xmldsig-more#${algorithm}`;
  const signer = new SignedXml({
    privateKey: key,
    signatureAlgorithm: weak ? `http://www.w3.org/2000/09/xmldsig#${algorithm}` : strong,
    canonicalizationAlgorithm: EXCLUSIVE,
  });
  if (!weak) signer.SignatureAlgorithms = XML_ALGORITHMS;
  if (algorithm === "hmac-sha1") signer.enableHMAC();
  signer.addReference({
    xpath: `//*[local-name(.)='${element}']`,
    transforms: ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXCLUSIVE],
    digestAlgorithm: weak ? "http://www.w3.org/2000/09/xmldsig#sha1" : "http://www.w3.org/2001/04/xmlenc#sha256",
  });
  const issuer = `//*[local-name(.)='${element}']/*[local-name(.)='Issuer']`;
  const location = xml.includes("Issuer>")
    ? ({ reference: issuer, action: "after" } as const)
    : ({ reference: `/*`, action: "prepend" } as const);
  signer.computeSignature(xml, { location });
  return signer.getSignedXml();
}

/** Encrypts an assertion, or a name, for a certificate. */
export async function encrypted(
  xml: string,
  to: Keys,
  algorithm: EncryptionAlgorithm = "http://www.w3.org/2009/xmlenc11#aes256-gcm",
  wrapper: "EncryptedAssertion" | "EncryptedID" = "EncryptedAssertion",
): Promise<string> {
  const data = await promisify(encrypt)(xml, {
    rsa_pub: to.publicKey,
    pem: to.certificate,
    encryptionAlgorithm: algorithm,
    warnInsecureAlgorithm: false,
    keyEncryptionAlgorithm: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
  });
  return `<saml:${wrapper} xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${data}</saml:${wrapper}>`;
}

export function encoded(xml: string): string {
  return Buffer.from(xml).toString("base64");
}

/** Metadata of the identity provider that signs with these certificates. */
export function providerMetadata(
  certificates: readonly string[],
  {
    entityId = IDP,
    sso = "https://idp.example.org/sso",
    slo = "https://idp.example.org/slo",
    more = "",
    bindings = ["Redirect"] as readonly ("Redirect" | "POST")[],
  } = {},
): string {
  const keys = certificates.map(
    (certificate) =>
      `<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${base64Of(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`,
  );
  const services = (name: string, location: string) =>
    bindings.map((binding) => `<${name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-${binding}" Location="${location}"/>`).join("");
  return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m" entityID="${entityId}"${more}><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${keys.join("")}${services("SingleLogoutService", slo)}${services("SingleSignOnService", sso)}</IDPSSODescriptor></EntityDescriptor>`;
}
