import type { RequestHandler, Router } from "express";
import { AppError } from "../../errors.ts";
import { callOf } from "./call.ts";
import { methodsOf } from "./respond.ts";

/**
 * /Me (RFC 7644 section 3.11): the person whose token it is, under an alias. Answered here rather than by a redirect,
 * because clients don't repeat their credentials and bodies reliably; Location says where the person really stands.
 * Must be mounted before /Users, which does the rest.
 */
export function meRoutes(router: Router): void {
  methodsOf(router, "/Me", { get: asUser, put: asUser, patch: asUser });
}

const asUser: RequestHandler = (request, response, next) => {
  const { base, personId } = callOf(response);
  if (personId === null) {
    throw new AppError("not_found", "This token is no person's: /Me is nobody. Ask /Users, or make a token for a person.");
  }
  const query = request.url.indexOf("?");
  response.set("Location", `${base}/Users/${personId}`);
  request.url = `/Users/${personId}${query < 0 ? "" : request.url.slice(query)}`;
  next("route");
};
