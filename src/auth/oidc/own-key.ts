import { createPrivateKey, createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, importPKCS8, type CryptoKey, type JWK } from "jose";

/** The key with which we prove to a provider who we are, and sign requests. */
export interface OwnKey {
  alg: "RS256" | "ES256";
  privateKey: CryptoKey;
  /** RFC 7638 thumbprint of the public half. */
  kid: string;
  publicJwk: JWK;
}

/** Reads a private key in PEM (PKCS #8 or what OpenSSL wrote before it). The settings' schema has judged it. */
export async function ownKey(pem: string): Promise<OwnKey> {
  const key = createPrivateKey(pem);
  const alg = key.asymmetricKeyType === "rsa" ? "RS256" : "ES256";
  const publicJwk = await exportJWK(createPublicKey(key));
  const kid = await calculateJwkThumbprint(publicJwk);
  const privateKey = await importPKCS8(key.export({ type: "pkcs8", format: "pem" }).toString(), alg);
  return { alg, privateKey, kid, publicJwk: { ...publicJwk, kid, alg, use: "sig" } };
}
