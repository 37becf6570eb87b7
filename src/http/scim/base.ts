import type { Request } from "express";
import { AppError } from "../../errors.ts";

const HOST = /^[A-Za-z0-9._\-[\]:]{1,255}$/;
const PROTOCOL = /^https?$/i;
const PREFIX = /^(\/[A-Za-z0-9._~-]+)+$/;
const LONGEST_PREFIX = 200;

/**
 * Where the door stands, as this client called it: `https://host/scim/v2`. Of a proxy that `http.trustProxy` names,
 * X-Forwarded-Proto, -Host and -Prefix say it. Throws `invalid` for a scheme, host or prefix that could not stand in a URL of ours.
 */
export function baseOf(request: Request): string {
  const { protocol, host } = request;
  if (!PROTOCOL.test(protocol)) throw new AppError("invalid", "X-Forwarded-Proto: must be https or http.", { field: "X-Forwarded-Proto" });
  if (typeof host !== "string" || !HOST.test(host)) throw new AppError("invalid", "Host: is no host name.", { field: "Host" });
  return `${protocol.toLowerCase()}://${host}${prefixOf(request)}${request.baseUrl}`;
}

/** A path that the proxy takes away before it passes requests on. */
function prefixOf(request: Request): string {
  const given = request.get("X-Forwarded-Prefix");
  if (given === undefined || !isFromTrustedProxy(request)) return "";
  const prefix = given.trim().replace(/\/+$/, "");
  if (prefix === "" || (prefix.length <= LONGEST_PREFIX && PREFIX.test(prefix))) return prefix;
  throw new AppError("invalid", "X-Forwarded-Prefix: must be a path such as /gateway.", { field: "X-Forwarded-Prefix" });
}

function isFromTrustedProxy(request: Request): boolean {
  // Express compiles its setting into this function, and goes by it for the other X-Forwarded headers.
  const isTrusted = request.app.get("trust proxy fn") as (address: string | undefined, hop: number) => boolean;
  return isTrusted(request.socket.remoteAddress, 0);
}
