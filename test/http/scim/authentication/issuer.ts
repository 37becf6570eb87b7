import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from "jose";

/** A real issuer of access tokens on this machine: it publishes its keys, and signs with them. */
export interface Issuer {
  url: string;
  /** How often its keys were fetched. */
  readonly fetched: number;
  /** What it answers instead of its keys. */
  answer: { status: number; body: string } | undefined;
  rotate(): Promise<void>;
  token(claims?: JWTPayload, options?: { kid?: string; key?: CryptoKey | Uint8Array; alg?: string }): Promise<string>;
  publicKeys(): JWK[];
  close(): Promise<void>;
}

export async function openIssuer({ now }: { now: () => Date }): Promise<Issuer> {
  let keys: { kid: string; privateKey: CryptoKey; jwk: JWK }[] = [];
  let fetched = 0;
  const server: Server = createServer((request, response) => {
    const { url } = issuer;
    if (request.url === "/.well-known/openid-configuration") response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    else if (request.url === "/keys") {
      fetched += 1;
      response.statusCode = issuer.answer?.status ?? 200;
      response.end(issuer.answer?.body ?? JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get fetched() {
      return fetched;
    },
    answer: undefined,
    async rotate() {
      const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
      const kid = `key-${keys.length}-${Math.random().toString(36).slice(2)}`;
      keys = [{ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } }];
    },
    async token(claims = {}, { kid, key, alg = "RS256" } = {}) {
      const [current] = keys;
      if (!current) throw new Error("the issuer has no key yet");
      const at = Math.floor(now().getTime() / 1000);
      return await new SignJWT({ iss: issuer.url, aud: "rollcall", appid: "app-1", iat: at, nbf: at, exp: at + 600, ...claims })
        .setProtectedHeader({ alg, kid: kid ?? current.kid })
        .sign(key ?? current.privateKey);
    },
    publicKeys: () => keys.map(({ jwk }) => jwk),
    close: () => new Promise((closed) => server.close(() => closed())),
  };
  await issuer.rotate();
  return issuer;
}
