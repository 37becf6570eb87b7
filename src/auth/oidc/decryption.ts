import { createPrivateKey, createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader, exportJWK, importPKCS8, type CryptoKey, type JWK } from "jose";

/** The key by which tokens open that a provider encrypts for us. */
export interface DecryptionKey {
  /** One for each of the algorithms, which a Web Crypto key is bound to. */
  keys: readonly { key: CryptoKey; alg: string; kid: string }[];
  publicJwk: JWK;
}

/** How the key of a token may be encrypted for us (RFC 7518 section 4.1): what only our private half opens. RSA1_5 tells too much by how it fails. */
const ALGORITHMS = { rsa: ["RSA-OAEP-256", "RSA-OAEP"], ec: ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"] } as const;
/** Section 5.1. */
export const CONTENT_ENCRYPTION: readonly string[] = ["A256GCM", "A192GCM", "A128GCM", "A256CBC-HS512", "A192CBC-HS384", "A128CBC-HS256"];

/** Reads a private key in PEM. The settings' schema has judged it. */
export async function decryptionKey(pem: string): Promise<DecryptionKey> {
  const key = createPrivateKey(pem);
  const algorithms = key.asymmetricKeyType === "rsa" ? ALGORITHMS.rsa : ALGORITHMS.ec;
  const publicJwk = await exportJWK(createPublicKey(key));
  const kid = await calculateJwkThumbprint(publicJwk);
  const pkcs8 = key.export({ type: "pkcs8", format: "pem" }).toString();
  const keys = await Promise.all(algorithms.map(async (alg) => ({ key: await importPKCS8(pkcs8, alg), alg, kid })));
  return { keys, publicJwk: { ...publicJwk, kid, alg: algorithms[0], use: "enc" } };
}

/** Whether a token is encrypted: a JWE has five parts (RFC 7516 section 3.1), a JWS three. */
export function isEncrypted(token: string): boolean {
  return token.split(".").length === 5;
}

/** The signed token inside an encrypted one; nothing of it is proven. Throws what jose throws, whatever was wrong inside. */
export async function openedToken(token: string, { keys }: DecryptionKey): Promise<string> {
  const { alg } = decodeProtectedHeader(token);
  const found = keys.find((each) => each.alg === alg);
  if (!found)
    throw new Error(`it is encrypted by ${String(alg).slice(0, 40)}, and our key opens ${keys.map((each) => each.alg).join(", ")}`);
  const { plaintext } = await compactDecrypt(token, found.key, {
    keyManagementAlgorithms: [found.alg],
    contentEncryptionAlgorithms: [...CONTENT_ENCRYPTION],
  });
  return new TextDecoder("utf-8", { fatal: true }).decode(plaintext);
}
