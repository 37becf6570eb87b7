import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, SignJWT, type JWK, type JWTPayload } from "jose";
import { rsaKey } from "../../helpers/rsa-key.ts";

/** What the provider says the next time it is asked; whatever is absent is as it should be. */
export interface Lies {
  /** Claims of the ID token, over the right ones; undefined takes one out. */
  claims?: Record<string, unknown>;
  /** Its header. */
  header?: { alg?: string; typ?: string };
  /** Signs by another key of the same id. */
  foreignKey?: boolean;
  /** The whole ID token. */
  idToken?: (claims: JWTPayload) => string | Promise<string>;
  /** Answers of UserInfo, over `sub`. */
  userInfo?: Record<string, unknown>;
}

/**
 * An OpenID provider that signs in whoever it is told to, at once, and lies as it is told to. It checks what comes: the code is good
 * once, and PKCE must fit.
 */
export interface LyingProvider {
  issuer: string;
  publicJwk: JWK;
  /** What it was asked at the token endpoint, so far. */
  exchanges: URLSearchParams[];
  /** Signs anything. */
  sign(claims: JWTPayload, header?: { typ?: string; alg?: string }): Promise<string>;
  /** Answers an authorization request as a browser would carry it back: the query of the callback. */
  authorize(url: string, options?: { sub?: string; lies?: Lies; claims?: Record<string, unknown> }): Promise<URLSearchParams>;
  close(): Promise<void>;
}

export interface LyingProviderOptions {
  clientId?: string;
  now?: () => Date;
  /** The discovery document, over the right one. */
  metadata?: Record<string, unknown>;
}

interface Code {
  request: URLSearchParams;
  sub: string;
  claims: Record<string, unknown>;
  lies: Lies;
}

/** Each has a key of its own. */
let started = 0;

export async function startLyingProvider({
  clientId = "rollcall",
  now = () => new Date(),
  metadata = {},
}: LyingProviderOptions = {}): Promise<LyingProvider> {
  const { privateKey, publicKey } = rsaKey(`lying provider ${++started}`);
  const foreign = rsaKey("foreign provider");
  const publicJwk = { ...(await exportJWK(publicKey)), kid: "k1", use: "sig", alg: "RS256" };
  const codes = new Map<string, Code>();
  const tokens = new Map<string, Code>();
  const exchanges: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const signed = (claims: JWTPayload, { header = {}, key = privateKey }: { header?: Lies["header"]; key?: typeof privateKey } = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "k1", typ: "JWT", ...header }).sign(key);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", issuer);
    const send = (body: unknown, status = 200) => {
      response.statusCode = status;
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(body));
    };
    if (url.pathname === "/.well-known/openid-configuration") return send({ ...metadataOf(issuer), ...metadata });
    if (url.pathname === "/jwks") return send({ keys: [publicJwk] });
    if (url.pathname === "/userinfo") {
      const held = tokens.get(request.headers.authorization?.replace(/^Bearer /i, "") ?? "");
      return held ? send({ sub: held.sub, ...held.claims, ...held.lies.userInfo }) : send({ error: "invalid_token" }, 401);
    }
    if (url.pathname !== "/token") return send({ error: "not_found" }, 404);
    const form = new URLSearchParams(await bodyOf(request));
    exchanges.push(form);
    const held = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    if (!held || form.get("redirect_uri") !== held.request.get("redirect_uri") || !(await fits(held.request, form)))
      return send({ error: "invalid_grant" }, 400);
    const accessToken = randomUUID();
    tokens.set(accessToken, held);
    send({ access_token: accessToken, token_type: "Bearer", expires_in: 600, id_token: await idTokenOf(held) });
  }

  async function idTokenOf({ request, sub, lies }: Code): Promise<string> {
    const at = Math.floor(now().getTime() / 1000);
    const right = {
      iss: issuer,
      aud: clientId,
      sub,
      iat: at,
      exp: at + 600,
      auth_time: at,
      nonce: request.get("nonce"),
      sid: `sid-${sub}`,
    };
    const claims = Object.fromEntries(
      Object.entries({ ...right, ...lies.claims }).filter(([, value]) => value !== undefined),
    ) as JWTPayload;
    if (lies.idToken) return await lies.idToken(claims);
    return await signed(claims, {
      ...(lies.header ? { header: lies.header } : {}),
      key: lies.foreignKey ? foreign.privateKey : privateKey,
    });
  }

  return {
    issuer,
    publicJwk,
    exchanges,
    sign: (claims, header = {}) => signed(claims, { header }),
    async authorize(url, { sub = "ada", lies = {}, claims = {} } = {}) {
      const request = new URL(url).searchParams;
      const code = randomUUID();
      codes.set(code, { request, sub, claims, lies });
      return await Promise.resolve(new URLSearchParams({ code, state: request.get("state") ?? "", iss: issuer }));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function metadataOf(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    end_session_endpoint: `${issuer}/end`,
    response_types_supported: ["code"],
    // It says that it would: what is public must not be believed as a shared secret all the same.
    id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
    token_endpoint_auth_methods_supported: ["client_secret_basic"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
  };
}

async function fits(request: URLSearchParams, form: URLSearchParams): Promise<boolean> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(form.get("code_verifier") ?? ""));
  return request.get("code_challenge_method") === "S256" && Buffer.from(digest).toString("base64url") === request.get("code_challenge");
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
