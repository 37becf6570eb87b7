import { X509Certificate } from "node:crypto";
import type { Request } from "express";
import type { Config } from "../../config.ts";

/**
 * How the proxy that ends TLS passes a client's certificate on: `rfc9440` (Client-Cert: :base64:), `pem` (percent-encoded,
 * as nginx's $ssl_client_escaped_cert), or its SHA-256 in hexadecimal digits. The proxy must take the header out of
 * what clients send.
 */
export type ClientCertificateSettings = NonNullable<Config["http"]["clientCertificate"]>;

const LONGEST = 16_384;

/** SHA-256 of the client's certificate in hexadecimal digits; undefined without one, or when who passes it on is no trusted proxy. */
export function clientCertificate(
  request: Request,
  { settings, now }: { settings: ClientCertificateSettings | undefined; now: Date },
): string | undefined {
  if (!settings) return undefined;
  const value = request.headers[settings.header];
  if (typeof value !== "string" || value === "" || value.length > LONGEST) return undefined;
  // No form has a comma: it stands between what came under this name more than once, and the first may be the client's own.
  if (value.includes(",")) return undefined;
  const isTrusted = request.app.get("trust proxy fn") as (address: string, hop: number) => boolean;
  if (!isTrusted(request.socket.remoteAddress ?? "", 0)) return undefined;
  if (settings.format === "sha256") {
    const digits = value.replaceAll(":", "").trim().toLowerCase();
    return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
  }
  return fingerprintOf(value, { format: settings.format, now });
}

function fingerprintOf(value: string, { format, now }: { format: "rfc9440" | "pem"; now: Date }): string | undefined {
  try {
    const encoded =
      format === "pem" ? decodeURIComponent(value) : Buffer.from(/^\s*:([A-Za-z0-9+/=]+):\s*$/.exec(value)?.[1] ?? "", "base64");
    const certificate = new X509Certificate(encoded);
    const isTimely = new Date(certificate.validFrom) <= now && now < new Date(certificate.validTo);
    return isTimely ? certificate.fingerprint256.replaceAll(":", "").toLowerCase() : undefined;
  } catch {
    // What can't be read is no certificate: the request goes on as if none had come.
    return undefined;
  }
}
