import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { open, seal, type KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";

const NONCE = 12;
const TAG = 16;

/** What the key of an upload (uploads.key) is sealed for. */
export function uploadPurpose({ connectionId, file }: { connectionId: number; file: string }): string {
  return `upload.${connectionId}.${file}`;
}

/** A key for one file alone, so that a rotation of the master key seals a line anew and not the file. */
export function newUploadKey(keyRing: KeyRing, purpose: string): { key: Buffer; sealed: string } {
  const key = randomBytes(32);
  return { key, sealed: seal(keyRing.current, { purpose, plain: key.toString("base64url") }) };
}

/** Throws `misconfigured` when the master key is another. */
export function openUploadKey(keyRing: KeyRing, { purpose, sealed }: { purpose: string; sealed: string }): Buffer {
  return Buffer.from(open(keyRing, { purpose, sealed }), "base64url");
}

/** AES-256-GCM; the chunk's place is authenticated, so that none takes another's. */
export function sealChunk(key: Buffer, { seq, plain }: { seq: number; plain: Buffer }): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(String(seq)));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Throws `misconfigured` when it was changed. */
export function openChunk(key: Buffer, { seq, sealed }: { seq: number; sealed: Buffer }): Buffer {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE))
      .setAAD(Buffer.from(String(seq)))
      .setAuthTag(sealed.subarray(NONCE, NONCE + TAG));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE + TAG)), decipher.final()]);
  } catch (cause) {
    throw new AppError("misconfigured", "A file that was handed in does not open: it was changed in the database. Hand it in again.", {
      cause,
    });
  }
}
