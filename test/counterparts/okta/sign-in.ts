import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from "jose";
import type { Clock } from "./clock.ts";
import { OktaError } from "./errors.ts";

/** A service app (API Services) as the Admin Console makes it. */
export interface ServiceApp {
  clientId: string;
  keys: JSONWebKeySet;
  /** Okta API Scopes that were granted. */
  scopes: Set<string>;
  /** "Require Demonstrating Proof of Possession (DPoP) header in token requests". */
  requireDpop: boolean;
}

interface AccessToken {
  app: ServiceApp;
  scopes: readonly string[];
  endsAt: number;
}

export interface SignIn {
  apps: ServiceApp[];
  /** API tokens that are good. */
  apiTokens: Set<string>;
  /** The administrator whom API tokens act for; undefined = the first person. */
  tokenOwner: string | undefined;
  /** Admin roles: who may do what beyond the scopes. */
  mayManage: boolean;
  /** The token endpoint: form in, JSON out. */
  token(form: URLSearchParams, tokenUrl: string): Promise<{ status: number; body: object }>;
  /** Throws Okta's 401 or 403. */
  authorise(authorization: string | undefined, needed: readonly string[]): void;
  revokeAll(): void;
  /** Access tokens given so far. */
  given(): number;
}

const HOUR = 3600;
const refusal = (status: number, error: string, error_description: string) => ({ status, body: { error, error_description } });

/** The org authorisation server and what management calls ask of a credential. */
export function openSignIn(clock: Clock): SignIn {
  const tokens = new Map<string, AccessToken>();
  const usedAssertions = new Set<string>();
  let given = 0;
  const signIn: SignIn = {
    apps: [],
    apiTokens: new Set(),
    tokenOwner: undefined,
    mayManage: true,
    async token(form, tokenUrl) {
      if (form.get("grant_type") !== "client_credentials")
        return refusal(400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.");
      const assertion = form.get("client_assertion") ?? "";
      const { claimed, problem } = await verify(assertion, tokenUrl);
      if (!claimed) return refusal(401, "invalid_client", problem);
      if (claimed.requireDpop) return refusal(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.");
      const asked = (form.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
      const granted = asked.filter((scope) => claimed.scopes.has(scope));
      if (granted.length === 0) return refusal(400, "consent_required", "You are not allowed any of the requested scopes.");
      const access_token = `access-${++given}-${Math.random().toString(36).slice(2)}`;
      tokens.set(access_token, { app: claimed, scopes: granted, endsAt: clock.peek().getTime() + HOUR * 1000 });
      return { status: 200, body: { token_type: "Bearer", expires_in: HOUR, access_token, scope: granted.join(" ") } };
    },
    authorise(authorization = "", needed) {
      const [scheme = "", credential = ""] = authorization.split(" ");
      if (scheme === "SSWS") {
        if (!signIn.apiTokens.has(credential)) throw new OktaError(401, "E0000011", "Invalid token provided");
        if (!signIn.mayManage && needed.some((scope) => scope.endsWith(".manage"))) throw noRole();
        return;
      }
      const token = scheme === "Bearer" ? tokens.get(credential) : undefined;
      if (!token || token.endsAt <= clock.peek().getTime()) throw new OktaError(401, "E0000011", "Invalid token provided");
      // A manage scope covers reading as well.
      const covers = (scope: string) => token.scopes.includes(scope) || token.scopes.includes(scope.replace(/\.read$/, ".manage"));
      if (needed.length > 0 && !needed.some(covers)) throw noScope(needed);
      if (!signIn.mayManage && needed.some((scope) => scope.endsWith(".manage"))) throw noRole();
    },
    revokeAll: () => tokens.clear(),
    given: () => given,
  };

  async function verify(assertion: string, audience: string): Promise<{ claimed?: ServiceApp; problem: string }> {
    for (const app of signIn.apps) {
      try {
        const { payload } = await jwtVerify(assertion, createLocalJWKSet(app.keys), {
          ...{ audience, issuer: app.clientId, subject: app.clientId, currentDate: clock.peek(), clockTolerance: 5 },
        });
        if ((payload.exp ?? Number.POSITIVE_INFINITY) - clock.peek().getTime() / 1000 > HOUR)
          return { problem: "The client_assertion token has an expiration too far into the future." };
        if (payload.jti !== undefined && usedAssertions.has(payload.jti))
          return { problem: "The client_assertion token with the same ID has already been used." };
        if (payload.jti !== undefined) usedAssertions.add(payload.jti);
        return { claimed: app, problem: "" };
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
      }
    }
    return { problem: "The client_assertion signature is invalid." };
  }
  return signIn;
}

function noScope(needed: readonly string[]): OktaError {
  const scope = needed.join(" ");
  return new OktaError(403, "E0000006", "You do not have permission to perform the requested action", {
    headers: {
      "www-authenticate": `Bearer authorization_uri="http://okta.test/oauth2/v1/authorize", realm="http://okta.test", scope="${scope}", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1"`,
    },
  });
}

function noRole(): OktaError {
  return new OktaError(403, "E0000006", "You do not have permission to perform the requested action");
}
