import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { raw, type Request, type RequestHandler } from "express";
import { AppError } from "../../errors.ts";
import { SCIM_JSON } from "./respond.ts";
import { checkStructure } from "./structure.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Reads a request's body as JSON: of a JSON media type (RFC 7644 section 3.1), UTF-8, not compressed, no longer than
 * `limit` bytes, no name twice in one object, no number beyond what a double holds. What is not is refused before
 * anything is read that need not be. Throws `unsupported_type`, `too_large`, `invalid` (invalidSyntax).
 */
export function jsonBody({ limit }: { limit: number }): RequestHandler[] {
  return [refuseOtherTypes, raw({ type: isRead, limit, inflate: false }), parse];
}

const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  if (!hasBody(request) || !isRead(request)) return next();
  if (!request.is(["application/json", SCIM_JSON])) throw new AppError("unsupported_type", `Send the body as ${SCIM_JSON}.`);
  const charset = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(request.headers["content-type"] ?? "")?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset))
    throw new AppError("unsupported_type", `The charset ${charset.slice(0, 40)} is not understood: send the body in UTF-8.`);
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw new AppError("unsupported_type", "Compressed bodies are not understood: send it as it is, without Content-Encoding.");
  next();
};

/** What comes with a GET or a DELETE means nothing (RFC 9110 section 9.3.1): HTTP libraries add it unasked. */
function isRead({ method = "" }: IncomingMessage): boolean {
  return !["GET", "HEAD", "DELETE"].includes(method);
}

function hasBody(request: Request): boolean {
  return request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
}

const parse: RequestHandler = (request, _response, next) => {
  if (Buffer.isBuffer(request.body)) request.body = request.body.length === 0 ? undefined : parsedJson(request.body);
  next();
};

/** JSON from its bytes. Throws `invalid`. */
export function parsedJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw refused("The request's body is not UTF-8.");
  const decoded = bytes.toString("utf8");
  const text = decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    throw refused(`The request's body is not JSON${position === undefined ? "" : ` (at character ${position})`}.`);
  }
  const names = checkStructure(value);
  // A quote before a colon ends a name, or stands in a text: as many as there are names means that none was lost.
  if (quotesBeforeColons(text) !== names && hasNameTwice(text)) throw refused("A name occurs twice in one object of the request's body.");
  return value;
}

const QUOTE = 0x22;
const SPACE = 0x20;

function quotesBeforeColons(text: string): number {
  let count = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) {
    let before = at - 1;
    while (before >= 0 && text.charCodeAt(before) <= SPACE) before -= 1;
    if (text.charCodeAt(before) === QUOTE) count += 1;
  }
  return count;
}

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Whether an object of this JSON has a name twice, escapes undone. */
function hasNameTwice(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let last = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const names = open.at(-1);
      const name = JSON.parse(last) as string;
      if (names?.has(name)) return true;
      names?.add(name);
    }
    last = token;
  }
  return false;
}

function refused(message: string): AppError {
  return new AppError("invalid", message, { scimType: "invalidSyntax" });
}
