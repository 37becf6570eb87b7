import { createHash, createPrivateKey, randomUUID, X509Certificate } from "node:crypto";
import { SignJWT } from "jose";
import { Fault, type OpenOptions } from "../contract.ts";
import { openHttp } from "../kit/http.ts";
import { withRetry } from "../kit/retry.ts";
import type { EntraSettings } from "./config.ts";
import { isObject, textOf } from "./json.ts";
import { faultOfSignIn } from "./sign-in-faults.ts";

/** The app's access token, kept until shortly before it ends. */
export interface TokenStore {
  /** Throws `misconfigured` or `denied` in the words of the Entra admin centre. */
  get(): Promise<string>;
  /** This token was refused: the next is a new one. */
  forget(token: string): void;
  close(): Promise<void>;
}

const ASSERTION_SECONDS = 300;
/** A token is not used in its last minutes: a long call may outlive it, and clocks differ. */
const MARGIN_MS = 300_000;
const LONGEST_MS = 24 * 3_600_000;

/** OAuth 2.0 client credentials (RFC 6749 section 4.4) with a secret, or with an assertion that a certificate's key signs (RFC 7523). */
export function openTokens(options: OpenOptions<EntraSettings>): TokenStore {
  const { settings, signal, now, network, conversation } = options;
  const login = settings.loginUrl.replace(/\/+$/, "");
  const path = `/${encodeURIComponent(settings.tenant)}/oauth2/v2.0/token`;
  const http = openHttp({
    system: `The sign-in service at ${new URL(login).origin}`,
    baseUrl: login,
    credential: () => ({}),
    ca: settings.ca,
    proxy: settings.proxy,
    network,
    conversation,
    timeoutMs: settings.timeoutMs,
    maxBytes: 1024 * 1024,
    signal,
    now,
  });
  let held: { token: string; until: number } | undefined;
  let asking: Promise<string> | undefined;

  const ask = async (): Promise<string> => {
    const { status, body } = await http.request({
      method: "POST",
      path,
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: settings.clientId,
        scope: `${new URL(settings.graphUrl).origin}/.default`,
        ...(await proofOf(settings, { audience: login + path, now: now() })),
      }),
      expect: [400, 401, 403],
    });
    if (status >= 400) throw faultOfSignIn(body, settings);
    const token = isObject(body) ? textOf(body["access_token"]) : undefined;
    const seconds = isObject(body) ? Number(body["expires_in"]) : Number.NaN;
    if (token === undefined || !(seconds > 0))
      throw new Fault("misconfigured", `The sign-in service at ${new URL(login).origin} answered without an access token. Check loginUrl.`);
    const livesMs = Math.min(seconds * 1000, LONGEST_MS);
    // A token that lives shorter than the margin is still good for half its life.
    held = { token, until: now().getTime() + Math.max(livesMs - MARGIN_MS, livesMs / 2) };
    return token;
  };

  return {
    get() {
      if (held && now().getTime() < held.until) return Promise.resolve(held.token);
      asking ??= withRetry(ask, { signal, ...settings.retry }).finally(() => {
        asking = undefined;
      });
      return asking;
    },
    forget(token) {
      if (held?.token === token) held = undefined;
    },
    close: () => http.close(),
  };
}

async function proofOf(settings: EntraSettings, { audience, now }: { audience: string; now: Date }): Promise<Record<string, string>> {
  const { clientId, clientSecret, certificate, privateKey } = settings;
  if (certificate === undefined || privateKey === undefined) return { client_secret: clientSecret ?? "" };
  const issuedAt = Math.floor(now.getTime() / 1000);
  const thumbprint = createHash("sha256").update(new X509Certificate(certificate).raw).digest("base64url");
  const assertion = await new SignJWT()
    .setProtectedHeader({ alg: "PS256", typ: "JWT", "x5t#S256": thumbprint })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setNotBefore(issuedAt)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ASSERTION_SECONDS)
    .sign(createPrivateKey(privateKey));
  return { client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", client_assertion: assertion };
}
