import { createPublicKey, randomBytes, sign, type KeyObject } from "node:crypto";

/** ASN.1 tags that a certificate is made of (X.690). */
const TAG = { integer: 0x02, bits: 0x03, null: 0x05, object: 0x06, utf8: 0x0c, time: 0x18, sequence: 0x30, set: 0x31, version: 0xa0 };
const COMMON_NAME = Buffer.from("550403", "hex");
const SHA256_WITH_RSA = Buffer.from("2a864886f70d01010b", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("2a8648ce3d040302", "hex");

export interface CertificateOptions {
  privateKey: KeyObject;
  commonName: string;
  from: Date;
  until: Date;
}

/**
 * A self-signed X.509 certificate (RFC 5280) around a key of RSA or EC, in PEM. SAML uses certificates only to carry keys in metadata;
 * nothing in it but the key is believed by anybody.
 */
export function selfSignedCertificate({ privateKey, commonName, from, until }: CertificateOptions): string {
  const algorithm =
    privateKey.asymmetricKeyType === "ec"
      ? sequence(der(TAG.object, ECDSA_WITH_SHA256))
      : sequence(der(TAG.object, SHA256_WITH_RSA), der(TAG.null, Buffer.alloc(0)));
  const name = sequence(der(TAG.set, sequence(der(TAG.object, COMMON_NAME), der(TAG.utf8, Buffer.from(commonName)))));
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)]);
  const toBeSigned = sequence(
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, algorithm, der(TAG.bits, Buffer.concat([Buffer.from([0]), signature])));
  return pemOf(certificate.toString("base64"));
}

/** PEM of a certificate from its base64, as metadata holds it. */
export function pemOf(base64: string): string {
  const lines = base64.replaceAll(/\s/g, "").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** The base64 inside of a certificate in PEM, without line breaks. */
export function base64Of(pem: string): string {
  return pem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
}

function sequence(...parts: Buffer[]): Buffer {
  return der(TAG.sequence, Buffer.concat(parts));
}

function time(date: Date): Buffer {
  return der(TAG.time, Buffer.from(`${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`));
}

function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 128) return Buffer.from([length]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([0x80 | digits.length]), digits]);
}
