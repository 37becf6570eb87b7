import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { SamlSettings } from "../../../connectors/saml/config.ts";
import { AppError, messageOf } from "../../errors.ts";
import { pemOf } from "./certificate.ts";
import { instantOf } from "./instant.ts";
import { BINDINGS, NAMESPACES } from "./names.ts";
import { CURVES } from "./signature-methods.ts";
import { checkIds, checkSignatures } from "./response-shape.ts";
import { signedBytes } from "./signature.ts";
import { childrenOf, descendantsOf, isNamed, onlyChild, plainText, within, type XmlElement } from "./xml/element.ts";
import { METADATA_LIMITS, normalised, readXml } from "./xml/read.ts";

const { metadata: namespace, signature, protocol } = NAMESPACES;

/** How a message of ours gets there. What was stored before there were two is of the first. */
const binding = z.enum(["redirect", "post"]).default("redirect");
export type Binding = z.output<typeof binding>;

export const identityProviderSchema = z.object({
  entityId: z.string(),
  /** Where our requests go: by the HTTP-Redirect binding where it has an address for that, otherwise by HTTP-POST. */
  ssoUrl: z.string(),
  ssoBinding: binding,
  /** Where our logout requests go; absent = it has no single logout by either binding. */
  sloUrl: z.string().optional(),
  sloBinding: binding,
  /** Where our answers to its logout requests go, where that is another address. */
  sloResponseUrl: z.string().optional(),
  /** PEM of every certificate that it signs with. */
  certificates: z.array(z.string()).min(1),
  wantsSignedRequests: z.boolean(),
  /** After which nothing of this may be used any more. */
  validUntil: z.iso.datetime().optional(),
});
export type IdentityProvider = z.output<typeof identityProviderSchema>;

export interface ReadMetadataOptions {
  settings: Pick<SamlSettings, "entityId" | "metadataCertificate">;
  now: Date;
}

/**
 * The identity provider that metadata describe (saml-metadata-2.0). All its signing certificates are believed, so that it may
 * change from one to another. Throws `invalid` saying what is missing or wrong.
 */
export function readProviderMetadata(input: string, { settings, now }: ReadMetadataOptions): IdentityProvider {
  try {
    const root = believedRoot(normalised(input), settings);
    const entity = entityOf(root, settings.entityId);
    const validUntil = [root, entity].flatMap(({ attributes }) => attributes.get("validUntil") ?? []).toSorted()[0];
    if (validUntil !== undefined && !((instantOf(validUntil) ?? now) > now)) throw wrong("is no longer valid (validUntil)");
    return { ...providerOf(entity), ...(validUntil === undefined ? {} : { validUntil }) };
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid") throw error;
    throw new AppError("invalid", `The identity provider's metadata can't be used: ${messageOf(error)}`, {
      field: "metadata",
      cause: error,
    });
  }
}

function wrong(what: string): AppError {
  return new AppError("invalid", `The identity provider's metadata ${what}.`, { field: "metadata" });
}

/** Where a certificate is pinned, only what it has signed is read. */
function believedRoot(text: string, { metadataCertificate }: Pick<SamlSettings, "metadataCertificate">): XmlElement {
  const root = readXml(text, { limits: METADATA_LIMITS, comments: true });
  if (metadataCertificate === undefined) return root;
  const entities = childrenOf(root, { namespace, name: "EntityDescriptor" });
  checkIds([...within(root)]);
  checkSignatures(root, { at: [root, ...entities] });
  return readXml(signedBytes(root, { text, certificates: [metadataCertificate] }), { limits: METADATA_LIMITS });
}

function entityOf(root: XmlElement, wanted: string | undefined): XmlElement {
  const entity = { namespace, name: "EntityDescriptor" };
  const all = isNamed(root, entity) ? [root] : isNamed(root, { namespace, name: "EntitiesDescriptor" }) ? descendantsOf(root, entity) : [];
  const found = wanted === undefined ? all : all.filter(({ attributes }) => attributes.get("entityID") === wanted);
  const providers = found.filter((each) => childrenOf(each, { namespace, name: "IDPSSODescriptor" }).length > 0);
  const [first, ...more] = providers;
  if (!first) throw wrong(wanted === undefined ? "describes no identity provider" : `does not describe ${wanted}`);
  if (more.length > 0) throw wrong("describes several identity providers: set entityId to the one that is meant");
  return first;
}

function providerOf(entity: XmlElement): Omit<IdentityProvider, "validUntil"> {
  const entityId = entity.attributes.get("entityID") ?? "";
  const descriptor = childrenOf(entity, { namespace, name: "IDPSSODescriptor" }).find(({ attributes }) =>
    (attributes.get("protocolSupportEnumeration") ?? "").split(/\s+/).includes(protocol),
  );
  if (entityId === "" || !descriptor) throw wrong("describes no identity provider of SAML 2.0");
  const signOn = endpoint(descriptor, "SingleSignOnService");
  if (signOn === undefined) throw wrong("names no address for sign-in by the HTTP-Redirect or the HTTP-POST binding");
  const certificates = certificatesOf(descriptor);
  if (certificates.length === 0) throw wrong("has no certificate that signatures could be checked with");
  const logout = endpoint(descriptor, "SingleLogoutService");
  return {
    entityId,
    ssoUrl: signOn.location,
    ssoBinding: signOn.binding,
    ...(logout === undefined ? {} : { sloUrl: logout.location }),
    sloBinding: logout?.binding ?? "redirect",
    ...(logout?.responseLocation === undefined ? {} : { sloResponseUrl: logout.responseLocation }),
    certificates,
    wantsSignedRequests: descriptor.attributes.get("WantAuthnRequestsSigned") === "true",
  };
}

interface Endpoint {
  binding: Binding;
  location: string;
  responseLocation?: string;
}

function endpoint(descriptor: XmlElement, name: string): Endpoint | undefined {
  const services = childrenOf(descriptor, { namespace, name });
  for (const each of ["redirect", "post"] as const) {
    const service = services.find(({ attributes }) => attributes.get("Binding") === BINDINGS[each]);
    const location = service?.attributes.get("Location");
    if (location === undefined) continue;
    const response = service?.attributes.get("ResponseLocation");
    return { binding: each, location: safe(location), ...(response === undefined ? {} : { responseLocation: safe(response) }) };
  }
  return undefined;
}

/** Browsers are sent there. */
function safe(location: string): string {
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const local = url !== undefined && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (!url || url.username !== "" || !(url.protocol === "https:" || (url.protocol === "http:" && local)))
    throw wrong(`names an address that is not https: ${location.slice(0, 200)}`);
  return url.href;
}

function certificatesOf(descriptor: XmlElement): string[] {
  const keys = childrenOf(descriptor, { namespace, name: "KeyDescriptor" }).filter(
    ({ attributes }) => (attributes.get("use") ?? "signing") === "signing",
  );
  const found = keys.flatMap((key) => {
    const info = onlyChild(key, { namespace: signature, name: "KeyInfo" });
    return childrenOf(info, { namespace: signature, name: "X509Data" }).flatMap((data) =>
      childrenOf(data, { namespace: signature, name: "X509Certificate" }).flatMap((each) => plainText(each) ?? []),
    );
  });
  return [...new Set(found.map(certificateOf))];
}

/** The first certificate that a signature could be checked with is enough: what can't be read here is said. */
function certificateOf(base64: string): string {
  const pem = pemOf(base64);
  try {
    const { asymmetricKeyType, asymmetricKeyDetails: { modulusLength = 0, namedCurve = "" } = {} } = new X509Certificate(pem).publicKey;
    const strong = (asymmetricKeyType === "rsa" && modulusLength >= 2048) || (asymmetricKeyType === "ec" && CURVES.has(namedCurve));
    if (!strong) throw new Error("it is neither of RSA with 2048 bits or more, nor of P-256, P-384 or P-521");
    return pem;
  } catch (cause) {
    throw new AppError("invalid", `A signing certificate in the identity provider's metadata can't be used: ${messageOf(cause)}.`, {
      field: "metadata",
      cause,
    });
  }
}
