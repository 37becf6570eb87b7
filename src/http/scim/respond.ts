import type { RequestHandler, Response, Router } from "express";
import { scimError } from "./errors.ts";

export const SCIM_JSON = "application/scim+json";
const CONTENT_TYPE = `${SCIM_JSON}; charset=utf-8`;

/** Sends an object, or text that is JSON already. */
export function sendJson(response: Response, body: object | string, { status = 200 } = {}): void {
  response.statusCode = status;
  response.setHeader("Content-Type", CONTENT_TYPE);
  response.end(typeof body === "string" ? body : JSON.stringify(body));
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
  const allowed = Object.keys(methods)
    .map((name) => name.toUpperCase())
    .join(", ");
  route.all((request, response) => {
    response.set("Allow", allowed);
    sendJson(response, scimError(405, { detail: `${request.method} does not work here; ${allowed} does.` }), { status: 405 });
  });
}
