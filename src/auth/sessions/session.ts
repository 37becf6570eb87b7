import { createHash, randomBytes } from "node:crypto";

/** How somebody proved who they are; what RFC 8176 calls authentication methods, in the words of this product. */
export const SIGN_IN_METHODS = ["password", "totp", "sms", "email", "passkey", "recovery", "saml", "oidc"] as const;

export type SignInMethod = (typeof SIGN_IN_METHODS)[number];

/** By whom a session was made, when that was an identity provider: what it calls the person, and the session there. */
export interface Federation {
  connectionId: number;
  subject: string;
  session?: string | undefined;
  /** When the session there ends, where it says so: none that was begun by it lasts longer. */
  until?: Date | undefined;
}

/** How somebody reads, as their profile says. */
export interface Reader {
  language: string | null;
  timeZone: string | null;
}

/** The columns of a Reader, of `people p`. */
export const READER = `p.attributes ->> 'preferredLanguage' as language, p.attributes ->> 'timezone' as "timeZone"`;

/** A session whose cookie came with a request. */
export interface Session {
  id: string;
  personId: string;
  methods: readonly SignInMethod[];
  createdAt: Date;
  expiresAt: Date;
  /** When the person last proved who they are. */
  provenAt: Date;
  connectionId: number | null;
  reader: Reader;
}

const FORM = /^[\w-]{43}$/;

/** A secret for a cookie: 32 random bytes. Only its hash is kept. */
export function newSecret(): { secret: string; hash: Buffer } {
  const secret = randomBytes(32).toString("base64url");
  return { secret, hash: hashOfSecret(secret) };
}

export function hashOfSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** Whether a cookie could hold one of our secrets at all. */
export function isSecret(value: string | undefined): value is string {
  return value !== undefined && FORM.test(value);
}

/** What is kept of a User-Agent: enough to tell browsers apart in a list. */
export function shortUserAgent(value: string | undefined): string | null {
  const text = value?.replaceAll(/[^\x20-\x7e]/g, "").trim() ?? "";
  return text === "" ? null : text.slice(0, 300);
}
