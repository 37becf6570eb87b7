import { Secret, TOTP } from "otpauth";

const PERIOD_SECONDS = 30;
/** Steps before and after the present one, for clocks that differ (RFC 6238 section 5.2). */
const WINDOW = 1;
const SECRET_BYTES = 20;

/** A new secret in base32 (RFC 4648), 160 bits as RFC 4226 section 4 recommends. */
export function newTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/** The `otpauth://` address that authenticator apps read from a QR code. It holds the secret. */
export function totpUri({ secret, issuer, label }: { secret: string; issuer: string; label: string }): string {
  return new TOTP({ secret, issuer, label, period: PERIOD_SECONDS }).toString();
}

/** The time step (RFC 6238 section 4.2) that a code of six digits stands for at `now`; undefined for a wrong code. Pure. */
export function totpStepOf({ secret, code, now }: { secret: string; code: string; now: Date }): number | undefined {
  const token = code.replaceAll(/\s/g, "");
  if (!/^\d{6}$/.test(token)) return undefined;
  const timestamp = now.getTime();
  const delta = TOTP.validate({ token, secret: Secret.fromBase32(secret), period: PERIOD_SECONDS, timestamp, window: WINDOW });
  return delta === null ? undefined : TOTP.counter({ period: PERIOD_SECONDS, timestamp }) + delta;
}
