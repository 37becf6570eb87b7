import { createHash, X509Certificate } from "node:crypto";
import { decodeProtectedHeader, importX509, jwtVerify, UnsecuredJWT } from "jose";
import type { Answer } from "./answer.ts";

export interface Application {
  clientId: string;
  clientSecret?: string;
  /** PEM. */
  certificate?: string;
  /** Application permissions with the administrator's consent. */
  granted: Set<string>;
}

/** The token endpoint of a tenant, for one application. */
export interface SignIn {
  answer(path: string, form: URLSearchParams): Promise<Answer>;
  /** What a bearer token was granted; undefined for one that is unknown, revoked or has expired. */
  granted(authorization: string | undefined): ReadonlySet<string> | undefined;
  revokeTokens(): void;
  /** How many tokens were given out. */
  issued(): number;
}

export interface SignInOptions {
  tenantId: string;
  application: Application;
  base: () => string;
  now: () => Date;
  tokenSeconds: number;
}

export function createSignIn({ tenantId, application, base, now, tokenSeconds }: SignInOptions): SignIn {
  const tokens = new Map<string, { until: number; granted: ReadonlySet<string> }>();
  let issued = 0;
  const audience = () => `${base()}/${tenantId}/oauth2/v2.0/token`;

  /** The code of what is wrong, or nothing. */
  const wrongWith = async (form: URLSearchParams): Promise<string | undefined> => {
    if (form.get("client_id") !== application.clientId) return "AADSTS700016";
    const assertion = form.get("client_assertion");
    if (assertion === null) return form.get("client_secret") === application.clientSecret ? undefined : "AADSTS7000215";
    if (application.certificate === undefined) return "AADSTS700027";
    const { alg, "x5t#S256": thumbprint } = decodeProtectedHeader(assertion);
    const expected = createHash("sha256").update(new X509Certificate(application.certificate).raw).digest("base64url");
    if (thumbprint !== expected || alg === undefined) return "AADSTS700027";
    try {
      await jwtVerify(assertion, await importX509(application.certificate, alg), {
        issuer: application.clientId,
        subject: application.clientId,
        audience: audience(),
        currentDate: now(),
        requiredClaims: ["jti", "exp", "nbf"],
      });
      return undefined;
    } catch {
      return "AADSTS700027";
    }
  };

  return {
    async answer(path, form) {
      if (path !== `/${tenantId}/oauth2/v2.0/token`) return refusal("AADSTS90002", "invalid_request");
      if (form.get("grant_type") !== "client_credentials" || form.get("scope") !== `${base()}/.default`)
        return refusal("AADSTS70011", "invalid_scope");
      const wrong = await wrongWith(form);
      if (wrong !== undefined) return refusal(wrong, "invalid_client");
      const until = now().getTime() + tokenSeconds * 1000;
      issued += 1;
      const token = new UnsecuredJWT({
        roles: [...application.granted],
        tid: tenantId,
        appid: application.clientId,
        number: issued,
      }).encode();
      tokens.set(token, { until, granted: application.granted });
      return { status: 200, body: { token_type: "Bearer", expires_in: tokenSeconds, ext_expires_in: tokenSeconds, access_token: token } };
    },
    granted(authorization) {
      const held = tokens.get(authorization?.replace(/^Bearer /, "") ?? "");
      return held && held.until > now().getTime() ? held.granted : undefined;
    },
    revokeTokens: () => tokens.clear(),
    issued: () => issued,
  };
}

function refusal(code: string, error: string): Answer {
  return {
    status: 401,
    body: { error, error_description: `${code}: what the service says of it. Trace ID: 0`, error_codes: [Number(code.slice(6))] },
  };
}
