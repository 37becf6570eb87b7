import { createPrivateKey, type KeyObject } from "node:crypto";
import { z } from "zod";

/** What each provider is called in its own console, and what is particular about it. */
export const PRESETS = ["generic", "entra", "google", "okta"] as const;

const GOOGLE = "https://accounts.google.com";
const ENTRA = "https://login.microsoftonline.com";

const domain = z
  .string()
  .toLowerCase()
  .regex(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/, "must be a domain: example.com");
const safeUrl = z
  .url({ protocol: /^https?$/, error: "must be the issuer's URL, such as https://login.example.com" })
  .max(500)
  .refine(isSafe, "must be an https URL (http is for this machine only)")
  .refine(
    (text) => !URL.canParse(text) || (new URL(text).search === "" && new URL(text).hash === ""),
    "must have no query and no fragment",
  );

const fields = z.strictObject({
  preset: z.enum(PRESETS).default("generic"),
  /** As the provider's tokens say it in `iss`; Entra ID's and Google's follow from the preset. */
  issuer: safeUrl.optional(),
  /** Entra ID: Directory (tenant) ID. Sign-ins of other tenants are refused. */
  tenantId: z.guid({ error: "must be the Directory (tenant) ID: a GUID, not a domain, and neither common nor organizations" }).optional(),
  /** Google: the Workspace domains whose accounts may sign in (`hd`); without one any Google account could. */
  hostedDomains: z.array(domain).min(1).max(50).optional(),
  /** Client ID, or Application (client) ID. */
  clientId: z.string().min(1).max(256),
  clientSecret: z.string().min(1).max(1024).optional(),
  /** PEM (PKCS #8), for `private_key_jwt` and signed requests; the public half is at /oidc/NAME/keys. */
  privateKey: z.string().min(1).max(20_000).optional(),
  /** PEM (PKCS #8) of another key: tokens that the provider encrypts for us open with it; its public half is at /oidc/NAME/keys, too. */
  encryptionKey: z.string().min(1).max(20_000).optional(),
  /** Refuse ID tokens that are not encrypted. */
  requireEncryption: z.boolean().default(false),
  /** Absent = private_key_jwt with a key, client_secret_basic without. */
  clientAuthentication: z.enum(["client_secret_basic", "client_secret_post", "private_key_jwt"]).optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, "must be a scope without blanks"))
    .max(50)
    .default(["openid", "profile", "email"]),
  /** Requests signed with our key (RFC 9101): where the provider offers it and there is a key, or never. */
  signedRequests: z.enum(["auto", "never"]).default("auto"),
  /** Requests handed over beforehand (RFC 9126): where the provider offers it, or never. */
  pushedRequests: z.enum(["auto", "never"]).default("auto"),
  /** Claims of the UserInfo endpoint beside those of the ID token. */
  userInfo: z.boolean().default(true),
  /** The person must have signed in there within so many minutes. */
  maxAgeMinutes: z
    .number()
    .int()
    .min(0)
    .max(60 * 24 * 30)
    .optional(),
  /** By how much the clocks may differ. */
  clockSkewSeconds: z.number().int().min(0).max(300).default(60),
  /** Ask the provider every so many hours, without a new sign-in, what it says of who signed in (`offline_access`); absent = only at sign-in. */
  refreshHours: z
    .number()
    .min(0.25)
    .max(24 * 30)
    .optional(),
  /** The provider's sign-in stands for both factors when its `amr` or `acr` holds one of these. */
  bothFactors: z
    .strictObject({ amr: z.array(z.string().min(1)).max(20).default([]), acr: z.array(z.string().min(1)).max(20).default([]) })
    .prefault({}),
  /** Who enters an address of these is sent to this provider. */
  domains: z.array(domain).max(100).default([]),
  /** What the button of the sign-in page says; the connection's name when absent. */
  title: z.string().min(1).max(60).optional(),
  /** Whether that button stands there for everybody. */
  listed: z.boolean().default(true),
  timeoutMs: z.number().int().min(100).max(60_000).default(5000),
});

/** An OpenID provider by which people sign in. */
export const oidcSettings = fields
  .superRefine((settings, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const { preset, issuer } = settings;
    const fixed = fixedIssuer(settings);
    if (fixed === undefined && issuer === undefined && preset !== "entra") issue("issuer", "is needed");
    if (fixed !== undefined && issuer !== undefined && issuer !== fixed) issue("issuer", `is ${fixed} with this preset: leave it out`);
    if (preset === "entra" && settings.tenantId === undefined)
      issue("tenantId", "is needed: the Directory (tenant) ID of the app registration");
    if (preset === "google" && settings.hostedDomains === undefined)
      issue("hostedDomains", "is needed: without it any Google account could sign in");
    if (preset === "okta" && issuer !== undefined && /-admin\.(okta|oktapreview|okta-emea)\.com/i.test(issuer))
      issue("issuer", "is that of the Admin Console; leave out -admin");
    if (!settings.scopes.includes("openid")) issue("scopes", "must hold openid");
    const authentication = authenticationOf(settings);
    if (authentication === "private_key_jwt" && settings.privateKey === undefined) issue("privateKey", "is needed for private_key_jwt");
    if (authentication !== "private_key_jwt" && settings.clientSecret === undefined)
      issue("clientSecret", "is needed; or give a privateKey (private_key_jwt)");
    for (const name of ["privateKey", "encryptionKey"] as const) {
      if (settings[name] !== undefined && readKey(settings[name]) === undefined)
        issue(name, "must be an RSA key of 2048 bits or more, or one of P-256, in PEM (PKCS #8)");
    }
    if (settings.encryptionKey !== undefined && settings.encryptionKey === settings.privateKey)
      issue("encryptionKey", "must be another key than privateKey: one that signs opens nothing");
    if (settings.requireEncryption && settings.encryptionKey === undefined) issue("encryptionKey", "is needed for requireEncryption");
  })
  .transform((settings) => ({
    ...settings,
    issuer: fixedIssuer(settings) ?? settings.issuer ?? "",
    clientAuthentication: authenticationOf(settings),
  }));

export type OidcSettings = z.output<typeof oidcSettings>;

type Given = z.output<typeof fields>;

/** The v2.0 endpoint of one tenant: that of `common` would take the tokens of all. */
function fixedIssuer({ preset, tenantId }: Given): string | undefined {
  if (preset === "google") return GOOGLE;
  return preset === "entra" && tenantId !== undefined ? `${ENTRA}/${tenantId.toLowerCase()}/v2.0` : undefined;
}

function authenticationOf({ clientAuthentication, privateKey, clientSecret }: Given): NonNullable<Given["clientAuthentication"]> {
  if (clientAuthentication) return clientAuthentication;
  return privateKey !== undefined && clientSecret === undefined ? "private_key_jwt" : "client_secret_basic";
}

function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
    return (key.asymmetricKeyType === "rsa" && modulusLength >= 2048) || namedCurve === "prime256v1" ? key : undefined;
  } catch {
    // The refinement above says what a key must be; what OpenSSL says of it may quote it.
    return undefined;
  }
}

function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username } = new URL(text);
  return username === "" && (protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
