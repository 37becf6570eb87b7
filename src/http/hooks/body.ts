import { isUtf8 } from "node:buffer";

const DEEPEST = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** JSON from its bytes; undefined for what is none, or nested deeper than any notification. */
export function parsedBody(bytes: unknown): unknown {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0 || !isUtf8(bytes) || isDeep(bytes)) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    // Whoever calls is told nothing about it before he has proven himself.
    return undefined;
  }
}

function isDeep(bytes: Buffer): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (quoted && byte === BACKSLASH) at++;
    else if (byte === QUOTE) quoted = !quoted;
    else if (quoted) continue;
    else if (OPENING.has(byte)) depth++;
    else if (CLOSING.has(byte)) depth--;
    if (depth > DEEPEST) return true;
  }
  return false;
}
