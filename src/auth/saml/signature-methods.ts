import { createPrivateKey, createPublicKey, sign, verify, type KeyLike } from "node:crypto";
import type { SignatureAlgorithm } from "xml-crypto";

/** A way to sign (XML Signature 1.1 section 6.4, RFC 9231 section 2.3): by which kind of key, over which hash. */
export interface SignatureMethod {
  keyType: "rsa" | "ec";
  hash: "sha256" | "sha384" | "sha512";
}

/** All that are accepted. SHA-1 is broken for signatures, and an HMAC would make the public key a secret. */
export const SIGNATURE_METHODS: ReadonlyMap<string, SignatureMethod> = new Map(
  (["rsa", "ec"] as const).flatMap((keyType) =>
    (["sha256", "sha384", "sha512"] as const).map((hash) => [nameOf({ keyType, hash }), { keyType, hash }] as const),
  ),
);

/** Elliptic curves that are accepted, as OpenSSL calls P-256, P-384 and P-521. */
export const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** The way that a private key of ours signs, over SHA-256. */
export function methodFor(privateKey: string): string {
  return nameOf({ keyType: createPrivateKey(privateKey).asymmetricKeyType === "ec" ? "ec" : "rsa", hash: "sha256" });
}

function nameOf({ keyType, hash }: SignatureMethod): string {
  return `http://www.w3.org/2001/04/xmldsig-more#${keyType === "ec" ? "ecdsa" : "rsa"}-${hash}`;
}

/** The same for xml-crypto, which has no elliptic curves of its own: a signature is r and s side by side, and a key of the other kind fits none. */
export const XML_ALGORITHMS: Record<string, new () => SignatureAlgorithm> = Object.fromEntries(
  [...SIGNATURE_METHODS].map(([name, method]) => [name, xmlAlgorithm(name, method)]),
);

function xmlAlgorithm(name: string, { keyType, hash }: SignatureMethod): new () => SignatureAlgorithm {
  // The library makes them by `new`.
  return class {
    getAlgorithmName(): string {
      return name;
    }
    getSignature(signedInfo: string, privateKey: KeyLike): string {
      return sign(hash, Buffer.from(signedInfo), { key: keyObject(privateKey, "private"), dsaEncoding: "ieee-p1363" }).toString("base64");
    }
    verifySignature(material: string, publicKey: KeyLike, value: string): boolean {
      const key = keyObject(publicKey, "public");
      return (
        key.asymmetricKeyType === keyType &&
        verify(hash, Buffer.from(material), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(value, "base64"))
      );
    }
  } as new () => SignatureAlgorithm;
}

function keyObject(key: KeyLike, half: "private" | "public") {
  if (typeof key === "object" && "type" in key) return key;
  return half === "private" ? createPrivateKey(key) : createPublicKey(key);
}
