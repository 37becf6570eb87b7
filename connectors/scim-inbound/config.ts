import { z } from "zod";

/** The profiles of known SCIM clients; `auto` recognises one by its requests and is `generic` until then. */
export const DIALECTS = ["generic", "entra", "okta", "google", "onelogin", "jumpcloud", "ping", "sap"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** Most requests that one token may send: `burst` at once, `perSecond` in the long run. */
export const rateLimitSchema = z.strictObject({
  perSecond: z.number().gt(0).max(100_000),
  burst: z.number().int().min(1).max(1_000_000).optional(),
});
export type RateLimit = z.output<typeof rateLimitSchema>;

const texts = z.union([
  z
    .string()
    .min(1)
    .transform((text) => [text]),
  z.array(z.string().min(1)).min(1).max(20),
]);
const safeUrl = z.url({ protocol: /^https?$/ }).refine(isSafe, "must be an https URL (http is for this machine only)");

/** Signatures that a public key checks; a shared secret or none at all can't be chosen. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;

/** Access tokens of an issuer that this connection's client may use instead of ours (OAuth 2.0 client credentials). */
export const issuerSchema = z.strictObject({
  /** As the tokens say it in `iss`: https://sts.windows.net/<tenant>/ */
  issuer: safeUrl,
  /** One of these is in `aud`. */
  audience: texts,
  /** Where its keys are; found through the issuer's discovery document when absent. */
  jwksUri: safeUrl.optional(),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(["RS256"]),
  /** Claims that a token must have, each with one of the values given: the same issuer serves other clients, too. */
  claims: z
    .record(z.string().regex(/^[\w:/.-]{1,200}$/), texts)
    .refine(
      (claims) => Object.keys(claims).length > 0,
      "must name a claim that tells this client from the issuer's others, such as appid or azp",
    ),
  /** By how much the clocks may differ. */
  clockSkewSeconds: z.number().int().min(0).max(300).default(60),
});
export type IssuerSettings = z.output<typeof issuerSchema>;

/** Client certificates that a trusted proxy passes on (`http.clientCertificate`). */
export const certificatesSchema = z.strictObject({
  /** SHA-256 of each certificate, in hexadecimal digits with or without colons. */
  sha256: z
    .array(
      z
        .string()
        .transform((text) => text.replaceAll(":", "").toLowerCase())
        .pipe(z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256: 64 hexadecimal digits")),
    )
    .min(1)
    .max(20),
  /** `alone`: one of them is enough. `with-token`: one of them is needed beside a token. */
  use: z.enum(["alone", "with-token"]).default("with-token"),
});

function isSafe(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

/** How a SCIM client that writes to us behaves. It holds no secret: its tokens are ours (`rollcall token create --connection NAME`). */
export const settingsSchema = z.strictObject({
  /** Whose SCIM client it is: which departures from the RFCs are understood, counted and told. */
  dialect: z.enum(["auto", ...DIALECTS]).default("auto"),
  /** `own`: its tokens see and touch only people and groups that this connection has an account for. */
  visibility: z.enum(["directory", "own"]).default("directory"),
  /** Overrides the server's `http.rateLimit` for each of this connection's tokens. */
  rateLimit: rateLimitSchema.optional(),
  oauth: issuerSchema.optional(),
  certificates: certificatesSchema.optional(),
  /**
   * What a PATCH that replaces a group's whole member list means. `authoritative`: the list is the group (RFC 7644, Okta).
   * `add`: whoever is not listed stays, because some clients send a part of the list (Entra).
   */
  replaceMembers: z.enum(["authoritative", "add"]).default("authoritative"),
  /**
   * A member who is not here. `refuse`: the request fails and says who (RFC 7644). `skip`: everybody else comes, and it is
   * counted, because some clients never send again what was refused once (Okta's group push).
   */
  unknownMembers: z.enum(["refuse", "skip"]).default("refuse"),
  /** One request that takes more than `count` members and more than `share` of them out of a group is refused. */
  memberGuard: z
    .strictObject({
      count: z.number().int().min(0).default(100),
      share: z.number().gt(0).max(1).default(0.5),
    })
    .prefault({}),
});

export type ScimInboundSettings = z.output<typeof settingsSchema>;
