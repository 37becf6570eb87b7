import { X509Certificate } from "node:crypto";
import { z } from "zod";

const certificate = z.string().max(20_000).refine(isCertificate, "must be a certificate in PEM");
const domain = z
  .string()
  .toLowerCase()
  .regex(/^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/, "must be a domain such as example.com");
const entityId = z.string().min(1).max(1024);
const attributeName = z.string().min(1).max(500);

/** A SAML 2.0 identity provider by which people sign in. It holds no secret of theirs: our own keys are made and sealed here. */
export const samlSettings = z
  .strictObject({
    /** Where the identity provider publishes its metadata; read again every day… */
    metadataUrl: z.string().refine(isSafeUrl, "must be an https URL (http is for this machine only)").optional(),
    /** …or the metadata itself, as XML. */
    metadata: z.string().min(1).max(2_000_000).optional(),
    /** Its entity ID: metadata of any other is refused, and of a list of entities this one is taken. */
    entityId: entityId.optional(),
    /** PEM of the certificate that the metadata must be signed with. */
    metadataCertificate: certificate.optional(),
    /** What we are called there; our metadata's address when absent. */
    ownEntityId: entityId.optional(),
    /** On the button of the sign-in page; the connection's name when absent. */
    title: z.string().min(1).max(60).optional(),
    /** Whether there is a button for everybody, or only the way by `domains` and links. */
    listed: z.boolean().default(true),
    /** People with addresses of these domains are led to this identity provider. */
    domains: z.array(domain).max(200).default([]),
    /** What must be signed. A signature that is there must hold in any case. */
    signed: z.enum(["assertion", "response", "both"]).default("assertion"),
    /** Refuse assertions that are not encrypted. */
    requireEncryption: z.boolean().default(false),
    /** The identity provider's sign-in stands for both factors when it says that it was one of these (AuthnContextClassRef). */
    bothFactors: z.array(z.string().min(1).max(500)).max(20).default([]),
    /** Our own key pair here. One of EC (P-256) is for identity providers that want it, and nothing can be encrypted for it. A change holds from the next roll-over on. */
    keyType: z.enum(["rsa", "ec"]).default("rsa"),
    /** Sign our requests. */
    signRequests: z.boolean().default(true),
    /** Sign our metadata. */
    signMetadata: z.boolean().default(false),
    /** Believe responses that nobody asked for: whoever obtains one can sign another's browser in. */
    idpInitiated: z.boolean().default(false),
    /** By how much the clocks may differ. */
    clockSkewSeconds: z.number().int().min(0).max(300).default(60),
    nameIdFormat: z.enum(["unspecified", "emailAddress", "persistent"]).default("unspecified"),
    /** The attribute that never changes for a person and is never given to another; the NameID when absent. */
    nativeId: attributeName.optional(),
    /** Attributes that are lists even where they have one value. */
    lists: z.array(attributeName).max(100).default(["groups", "memberOf", "roles"]),
    /** Have people prove themselves anew at the identity provider at each sign-in. */
    forceAuthn: z.boolean().default(false),
    /** Ways of proving oneself that are asked for (AuthnContextClassRef); none when empty. */
    authnContext: z.array(z.string().min(1).max(500)).max(20).default([]),
    /** How the way of a sign-in is compared with these. Only `exact` can be checked here: a sign-in by any other way is refused. */
    authnContextComparison: z.enum(["exact", "minimum", "maximum", "better"]).default("exact"),
    /** Tell the identity provider when somebody signs out here, so that the session there ends, too. */
    singleLogout: z.boolean().default(true),
    /** Longest wait for the metadata, in milliseconds. */
    timeoutMs: z.number().int().min(100).max(60_000).default(10_000),
  })
  .refine(({ metadataUrl, metadata }) => (metadataUrl === undefined) !== (metadata === undefined), {
    path: ["metadataUrl"],
    error: "must be given, or the metadata itself: one of them",
  })
  .refine(({ keyType, requireEncryption }) => keyType !== "ec" || !requireEncryption, {
    path: ["keyType"],
    error: "must be rsa with requireEncryption: nothing can be encrypted for a key of EC",
  });

export type SamlSettings = z.output<typeof samlSettings>;

function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  return username === "" && password === "" && (protocol === "https:" || (protocol === "http:" && local));
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    // What is no certificate is told as such, beside all else that is wrong.
    return false;
  }
}
