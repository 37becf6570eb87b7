import { Router, type ErrorRequestHandler, type Response } from "express";
import { sequence } from "../middleware/sequence.ts";
import { jsonBody } from "./body.ts";
import { bulkRoutes } from "./bulk/routes.ts";
import { authenticated, claimedCallOf, type ScimDoorOptions } from "./call.ts";
import { bent } from "./dialects/request.ts";
import { discoveryRoutes } from "./discovery-routes.ts";
import { errorAnswer, scimError } from "./errors.ts";
import { meRoutes } from "./me.ts";
import { ROLES, UNITS } from "./organisation-types.ts";
import { readOnlyRoutes, writableRoutes } from "./resource-routes.ts";
import { sendJson } from "./respond.ts";
import { searchAllRoutes } from "./search-all.ts";

/**
 * The SCIM 2.0 door (RFC 7644). Mount it at /scim/v2, and at /scim/:connection/v2 for clients that want a URL of their
 * own. Every request needs a bearer token of scope `scim`; whatever goes wrong is answered as a SCIM error.
 */
export function createScimDoor(options: ScimDoorOptions & { bodyLimit: number }): Router {
  const router = Router({ mergeParams: true });
  router.use(sequence(authenticated(options), ...jsonBody({ limit: options.bodyLimit }), bent(options.quirks)));
  meRoutes(router);
  writableRoutes(router, { door: options, kind: "user", endpoint: "/Users" });
  writableRoutes(router, { door: options, kind: "group", endpoint: "/Groups" });
  for (const type of [UNITS, ROLES]) readOnlyRoutes(router, { door: options, type });
  searchAllRoutes(router, { door: options });
  discoveryRoutes(router, options);
  bulkRoutes(router, { door: options });
  router.use((request, response) => {
    sendJson(response, scimError(404, { detail: `There is nothing at ${request.path}.` }), { status: 404 });
  });
  router.use(failed(options));
  return router;
}

function failed({ log }: ScimDoorOptions): ErrorRequestHandler {
  return async (failure, _request, response, next) => {
    if (response.headersSent) return next(failure);
    const { status, headers, body } = errorAnswer(await toldToWhom(failure, response), { log });
    response.set(headers);
    sendJson(response, body, { status });
  };
}

/** What failed before its client was proved is told to nobody but that client. */
async function toldToWhom(failure: unknown, response: Response): Promise<unknown> {
  try {
    if (response.locals["call"] === undefined) await claimedCallOf(response)?.authenticate();
    return failure;
  } catch (refusal) {
    return refusal;
  }
}
