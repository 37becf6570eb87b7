import { createCipheriv, createDecipheriv, hash, randomFillSync } from "node:crypto";
import { AppError } from "../errors.ts";

/** A 256-bit key and the id under which what it sealed can be found again. */
export interface SealingKey {
  id: string;
  bytes: Buffer;
}

/** The master key in use, and older ones that still open what they sealed. */
export interface KeyRing {
  current: SealingKey;
  older: readonly SealingKey[];
}

/** A key's id: the first 8 hexadecimal digits of its SHA-256; says nothing about the key. */
export function sealingKey(bytes: Buffer): SealingKey {
  if (bytes.length !== 32) throw new AppError("misconfigured", "A master key must be 32 bytes.", { field: "ROLLCALL_KEY" });
  return { id: hash("sha256", bytes, "hex").slice(0, 8), bytes };
}

const POOL = Buffer.alloc(4096);
let used = POOL.length;

/** Random bytes for a key or a nonce. They are asked of the system for many at a time, which costs a tenth, given to one alone, and forgotten here. */
export function fewRandomBytes(count: number): Buffer {
  if (used + count > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  const given = Buffer.from(POOL.subarray(used, used + count));
  POOL.fill(0, used, used + count);
  used += count;
  return given;
}

/** AES-256-GCM; `purpose` is authenticated, so that a value sealed for one field opens nowhere else. Format: v1.keyId.nonce.tag.ciphertext. */
export function seal(key: SealingKey, { purpose, plain }: { purpose: string; plain: string }): string {
  const nonce = fewRandomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce).setAAD(Buffer.from(purpose));
  const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return ["v1", key.id, nonce.toString("base64url"), cipher.getAuthTag().toString("base64url"), sealed.toString("base64url")].join(".");
}

/** Opens what `seal` made for the same purpose. Throws `misconfigured` when the key is not in the ring or the value was changed. */
export function open(ring: KeyRing, { purpose, sealed }: { purpose: string; sealed: string }): string {
  const [version, keyId, nonce, tag, body] = sealed.split(".");
  const key = [ring.current, ...ring.older].find((candidate) => candidate.id === keyId);
  if (version !== "v1" || !nonce || !tag || body === undefined)
    throw new AppError("internal", `The sealed value for ${purpose} is malformed.`);
  if (!key)
    throw new AppError(
      "misconfigured",
      `The value for ${purpose} was sealed with key ${keyId}, which is not the master key in use. Restore that key (ROLLCALL_KEY or the key file).`,
    );
  try {
    const decipher = createDecipheriv("aes-256-gcm", key.bytes, Buffer.from(nonce, "base64url"))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(Buffer.from(tag, "base64url"));
    return Buffer.concat([decipher.update(Buffer.from(body, "base64url")), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new AppError("misconfigured", `The sealed value for ${purpose} does not open: it was changed, or belongs elsewhere.`, { cause });
  }
}

/** What a person's own key (person_keys.wrapped) is sealed for. */
export function personKeyPurpose(personId: string): string {
  return `person.${personId}`;
}

/** What the private key of a SAML key pair (saml_keys.private_key) is sealed for. */
export function samlKeyPurpose(id: string): string {
  return `saml_key.${id}`;
}

/** What a sign-in that is on its way to an OpenID provider (sign_ins.state) keeps is sealed for. */
export function oidcPendingPurpose(signInId: string): string {
  return `sign-in.${signInId}.oidc`;
}

/** What the rows of an import (people_import_rows.content) are sealed for until it is applied. */
export function importPurpose(id: string): string {
  return `import:${id}`;
}

/** What kept answers (idempotency_keys.answer) are sealed for. */
export const IDEMPOTENT_ANSWER_PURPOSE = "idempotency";

/** The id of the key that sealed this value. */
export function keyIdOf(sealed: string): string | undefined {
  return sealed.split(".")[1];
}
