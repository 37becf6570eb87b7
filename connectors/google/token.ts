import { importPKCS8, SignJWT } from "jose";
import { Fault, type OpenOptions } from "../contract.ts";
import { openHttp } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import { parseServiceAccount, type GoogleSettings, type ServiceAccount } from "./config.ts";
import { faultOfGrant } from "./faults.ts";
import { isObject, textOf } from "./json.ts";
import { SCOPES, type Purpose } from "./scopes.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_SECONDS = 3600;
/** A token is renewed this long before its end, so that none ends on its way. */
const MARGIN_MS = 60_000;

/** Access tokens of a service account that speaks in an administrator's name (RFC 7523 section 2.1), one for each purpose. */
export interface Tokens {
  /** Kept until shortly before its end. Throws `denied` when the purpose was not delegated. */
  tokenFor(purpose: Purpose): Promise<string>;
  /** The token was refused: the next one is asked for anew. */
  forget(purpose: Purpose): void;
  close(): Promise<void>;
}

interface Held {
  token: Promise<{ value: string; endsAt: number }>;
}

export function openTokens(options: OpenOptions<GoogleSettings>): Tokens {
  const { settings, signal, now, log } = options;
  const account = serviceAccountOf(settings);
  const url = new URL(settings.tokenUrl);
  const http = openHttp({
    ...options,
    system: `Google's token endpoint at ${url.origin}`,
    baseUrl: url.origin,
    credential: () => ({}),
    ca: settings.ca,
    proxy: settings.proxy,
    timeoutMs: settings.timeoutMs,
    maxBytes: 100_000,
  });
  const held = new Map<Purpose, Held>();

  const ask = async (purpose: Purpose): Promise<{ value: string; endsAt: number }> => {
    const { status, body } = await withRetry(
      async () =>
        http.request({
          method: "POST",
          path: url.pathname,
          body: new URLSearchParams({
            grant_type: GRANT,
            assertion: await assertionOf({ account, settings, scope: SCOPES[purpose], now: now() }),
          }),
          expect: [400, 401, 403],
        }),
      {
        signal,
        attempts: settings.attempts,
        onRetry: (fault, next) => log.warn({ fault: fault.message, ...next }, "google: asking for a token again"),
      },
    );
    if (status >= 400) throw faultOfGrant({ status, body, purpose, administrator: settings.administrator, account: account.client_email });
    const value = isObject(body) ? textOf(body["access_token"]) : undefined;
    const seconds = isObject(body) ? Number(body["expires_in"]) : Number.NaN;
    if (value === undefined || !(seconds > 0))
      throw new Fault("misconfigured", `${url.origin} answered without an access token (RFC 6749 section 5.1). Check tokenUrl.`);
    return { value, endsAt: now().getTime() + seconds * 1000 };
  };

  const forget = (purpose: Purpose, token?: Held["token"]) => {
    if (token === undefined || held.get(purpose)?.token === token) held.delete(purpose);
  };

  return {
    async tokenFor(purpose) {
      const known = await held.get(purpose)?.token;
      if (known !== undefined && known.endsAt - MARGIN_MS > now().getTime()) return known.value;
      if (known !== undefined) held.delete(purpose);
      // Whoever comes meanwhile waits for the same answer.
      const token = held.get(purpose)?.token ?? ask(purpose);
      held.set(purpose, { token });
      try {
        return (await token).value;
      } catch (error) {
        forget(purpose, token);
        throw error;
      }
    },
    forget: (purpose) => forget(purpose),
    close: () => http.close(),
  };
}

function serviceAccountOf({ serviceAccountKey }: GoogleSettings): ServiceAccount {
  const account = parseServiceAccount(serviceAccountKey);
  if (account === undefined) throw new Fault("misconfigured", "serviceAccountKey is not the JSON key file of a service account.");
  return account;
}

async function assertionOf({
  account,
  settings,
  scope,
  now,
}: {
  account: ServiceAccount;
  settings: GoogleSettings;
  scope: string;
  now: Date;
}): Promise<string> {
  const seconds = Math.floor(now.getTime() / 1000);
  const key = await importPKCS8(account.private_key, "RS256").catch(() => {
    // The cause may quote the key.
    throw new Fault("misconfigured", `The private key of ${account.client_email} can't be read: give the key file as Google gave it out.`);
  });
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(account.private_key_id === undefined ? {} : { kid: account.private_key_id }) })
    .setIssuer(account.client_email)
    .setSubject(settings.administrator)
    .setAudience(settings.tokenUrl)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .sign(key);
}
