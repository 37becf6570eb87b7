import type { RequestHandler, Response, Router } from "express";
import { scimError } from "./errors.ts";

export const SCIM_JSON = "application/scim+json";
const CONTENT_TYPE = `${SCIM_JSON}; charset=utf-8`;
const PLAIN_TYPE = "application/json; charset=utf-8";

/** Letters above which a text is encoded here, at once: Node would reckon three bytes for each letter, and glue the header to its front. */
const LARGE = 8192;

/** Sends an object, or text that is JSON already. */
export function sendJson(response: Response, body: object | string, { status = 200 } = {}): void {
  beginJson(response, { status });
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.end(text.length > LARGE ? Buffer.from(text) : text);
}

/** Sends the parts of a JSON text. They become bytes one by one: a text of them all would be copied twice. */
export function sendParts(response: Response, parts: readonly string[]): void {
  beginJson(response);
  if (parts.reduce((sum, part) => sum + part.length, 0) <= LARGE) response.end(parts.join(""));
  else response.end(bytesOf(parts));
}

/** Status and type of an answer whose JSON text follows. */
export function beginJson(response: Response, { status = 200 } = {}): void {
  response.statusCode = status;
  response.setHeader("Content-Type", isPlainAsked(response.req.headers.accept) ? PLAIN_TYPE : CONTENT_TYPE);
}

/** Whoever takes JSON, and neither SCIM's own type nor anything at all, gets it under that name (RFC 7644 section 3.8). */
function isPlainAsked(accept: string | undefined): boolean {
  return accept !== undefined && /application\/json/i.test(accept) && !/\/scim\+json|\/\*/i.test(accept);
}

function bytesOf(parts: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0));
  let at = 0;
  for (const part of parts) at += bytes.write(part, at);
  return bytes;
}

export type Methods = Readonly<Partial<Record<"get" | "post" | "put" | "patch" | "delete", RequestHandler>>>;

/** The methods of one path; any other is answered with 405 and Allow. */
export function methodsOf(router: Router, path: string, methods: Methods): void {
  const route = router.route(path);
  if (methods.get) route.get(methods.get);
  if (methods.post) route.post(methods.post);
  if (methods.put) route.put(methods.put);
  if (methods.patch) route.patch(methods.patch);
  if (methods.delete) route.delete(methods.delete);
  // Whoever answers GET answers HEAD (RFC 9110 section 9.3.2).
  const allowed = Object.keys(methods)
    .flatMap((name) => (name === "get" ? ["GET", "HEAD"] : [name.toUpperCase()]))
    .join(", ");
  route.all((request, response) => {
    response.set("Allow", allowed);
    sendJson(response, scimError(405, { detail: `${request.method} does not work here; ${allowed} does.` }), { status: 405 });
  });
}
