import { createHmac } from "node:crypto";

/** A token's first two parts, which nothing signs. */
export function unsigned(header: object, claims: object): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
}

/** A token signed with a shared secret, by the id of the provider's public key. */
export function hmac(claims: object, key: string): string {
  const body = unsigned({ alg: "HS256", kid: "k1", typ: "JWT" }, claims);
  return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
}
