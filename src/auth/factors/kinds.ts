import type { KeyRing } from "../../db/envelope.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";

/** What may be a second factor: an authenticator app (RFC 6238), a code by SMS or by e-mail, a passkey (WebAuthn). */
export const FACTOR_KINDS = ["totp", "sms", "email", "passkey"] as const;

export type FactorKind = (typeof FACTOR_KINDS)[number];

/** Kinds whose codes are sent, and the channel that they go by. */
export type SentKind = "sms" | "email";

/** One enrolled factor, without what proves it. */
export interface Factor {
  id: string;
  kind: FactorKind;
  /** What the person calls it; of a number or an address as much as tells it apart. */
  label: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/** Whose factors, in which sign-in or session, and with which keys. */
export interface FactorCall {
  personId: string;
  /** The sign-in or the session in which the proof was asked for, `sign-in:<id>` or `session:<id>`: it is good nowhere else. */
  boundTo: string;
  keyRing: KeyRing;
  settings: SignInSettings["factors"];
}

/**
 * How a proof went. A failure is an answer and no error, because it has to be written down: commit the transaction either way.
 * `wrong` may be tried again; `over` means that nothing waits for a proof any more, too many tries included.
 */
export type Proof<T = object> = ({ ok: true } & T) | { ok: false; why: "wrong" | "over" };
