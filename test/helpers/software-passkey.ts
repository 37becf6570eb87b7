import { createHash, createSign, generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import type { AuthenticationResponse, RegistrationResponse } from "../../src/auth/factors/passkey-responses.ts";

/** An authenticator in software: ES256 (COSE -7), attestation "none". */
export interface SoftwarePasskey {
  id: string;
  /** The counter that the next assertion goes on from; null = it does not count. Set it back to be a copy. */
  count: number | null;
  create(options: { challenge: string; rp: { id?: string }; user: { id: string } }, overrides?: Overrides): RegistrationResponse;
  get(options: { challenge: string; rpId?: string }, overrides?: Overrides): AuthenticationResponse;
}

export interface Overrides {
  origin?: string;
  rpId?: string;
  challenge?: string;
  /** Whether a PIN, a finger or a face was seen; true when absent. */
  userVerified?: boolean;
  userHandle?: string;
  /** Damages the signature. */
  signature?: (signature: Buffer) => Buffer;
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED = 0x40;

export function softwarePasskey({ origin, counts = true }: { origin: string; counts?: boolean }): SoftwarePasskey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const credentialId = randomBytes(32);
  const id = credentialId.toString("base64url");
  let handle = "";
  const clientData = (type: string, challenge: string, over: Overrides) =>
    Buffer.from(JSON.stringify({ type, challenge: over.challenge ?? challenge, origin: over.origin ?? origin, crossOrigin: false }));
  const passkey: SoftwarePasskey = {
    id,
    count: counts ? 0 : null,
    create({ challenge, rp, user }, over = {}) {
      handle = user.id;
      const data = authenticatorData({
        rpId: over.rpId ?? rp.id ?? "",
        flags: flagsOf(over) | ATTESTED,
        count: passkey.count ?? 0,
        attested: Buffer.concat([Buffer.alloc(16), uint16(credentialId.length), credentialId, coseKey(publicKey)]),
      });
      const attestationObject = cborMap([
        [cborText("fmt"), cborText("none")],
        [cborText("attStmt"), cborMap([])],
        [cborText("authData"), cborBytes(data)],
      ]);
      return {
        id,
        rawId: id,
        type: "public-key",
        response: {
          clientDataJSON: clientData("webauthn.create", challenge, over).toString("base64url"),
          attestationObject: attestationObject.toString("base64url"),
          transports: ["internal"],
        },
      };
    },
    get({ challenge, rpId = "" }, over = {}) {
      if (passkey.count !== null) passkey.count += 1;
      const data = authenticatorData({ rpId: over.rpId ?? rpId, flags: flagsOf(over), count: passkey.count ?? 0 });
      const client = clientData("webauthn.get", challenge, over);
      const signature = createSign("sha256")
        .update(Buffer.concat([data, createHash("sha256").update(client).digest()]))
        .sign(privateKey);
      return {
        id,
        rawId: id,
        type: "public-key",
        response: {
          clientDataJSON: client.toString("base64url"),
          authenticatorData: data.toString("base64url"),
          signature: (over.signature?.(signature) ?? signature).toString("base64url"),
          userHandle: over.userHandle ?? (handle || null),
        },
      };
    },
  };
  return passkey;
}

function flagsOf({ userVerified = true }: Overrides): number {
  return USER_PRESENT | (userVerified ? USER_VERIFIED : 0);
}

/** WebAuthn section 6.1. */
function authenticatorData({ rpId, flags, count, attested }: { rpId: string; flags: number; count: number; attested?: Buffer }): Buffer {
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(count);
  const hash = createHash("sha256").update(rpId).digest();
  return Buffer.concat([hash, Buffer.from([flags]), counter, attested ?? Buffer.alloc(0)]);
}

/** RFC 9052 section 7: an EC2 key on P-256, for ES256. */
function coseKey(key: KeyObject): Buffer {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return cborMap([
    [cborInteger(1), cborInteger(2)],
    [cborInteger(3), cborInteger(-7)],
    [cborInteger(-1), cborInteger(1)],
    [cborInteger(-2), cborBytes(Buffer.from(x, "base64url"))],
    [cborInteger(-3), cborBytes(Buffer.from(y, "base64url"))],
  ]);
}

// As much of CBOR (RFC 8949) as an authenticator says.
function cborHead(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  if (value < 256) return Buffer.from([(major << 5) | 24, value]);
  return Buffer.concat([Buffer.from([(major << 5) | 25]), uint16(value)]);
}

function cborInteger(value: number): Buffer {
  return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
}

function cborBytes(bytes: Buffer): Buffer {
  return Buffer.concat([cborHead(2, bytes.length), bytes]);
}

function cborText(text: string): Buffer {
  return Buffer.concat([cborHead(3, Buffer.byteLength(text)), Buffer.from(text)]);
}

function cborMap(entries: readonly (readonly [Buffer, Buffer])[]): Buffer {
  return Buffer.concat([cborHead(5, entries.length), ...entries.flat()]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
