import { Router, type ErrorRequestHandler, type Request, type Response } from "express";
import { AppError } from "../../errors.ts";
import { jsonBody } from "./body.ts";
import { bulkRoutes } from "./bulk/routes.ts";
import { authenticated, callOf, type ScimDoorOptions } from "./call.ts";
import { bent } from "./dialects/request.ts";
import { listOf, resourceTypes, schemaResources, serviceProviderConfig } from "./discovery.ts";
import { errorAnswer, scimError } from "./errors.ts";
import { writableRoutes } from "./resource-routes.ts";
import { methodsOf, sendJson } from "./respond.ts";

/**
 * The SCIM 2.0 door (RFC 7644). Mount it at /scim/v2, and at /scim/:connection/v2 for clients that want a URL of their
 * own. Every request needs a bearer token of scope `scim`; whatever goes wrong is answered as a SCIM error.
 */
export function createScimDoor(options: ScimDoorOptions & { bodyLimit: number }): Router {
  const router = Router({ mergeParams: true });
  router.use(authenticated(options));
  router.use(...jsonBody({ limit: options.bodyLimit }), bent(options.quirks));
  writableRoutes(router, { door: options, kind: "user", endpoint: "/Users" });
  writableRoutes(router, { door: options, kind: "group", endpoint: "/Groups" });
  discoveryRoutes(router, options);
  bulkRoutes(router, { door: options });
  router.all("/Me", (_request, response) => notImplemented(response, "A provisioning client is nobody in particular: /Me is not offered."));
  router.use((request, response) => {
    sendJson(response, scimError(404, { detail: `There is nothing at ${request.path}.` }), { status: 404 });
  });
  router.use(failed(options));
  return router;
}

function discoveryRoutes(router: Router, { bodyLimit }: { bodyLimit: number }): void {
  const collections = { Schemas: schemaResources, ResourceTypes: resourceTypes } as const;
  methodsOf(router, "/ServiceProviderConfig", {
    get: (_request, response) => sendJson(response, serviceProviderConfig({ base: callOf(response).base, bodyLimit })),
  });
  for (const [name, resources] of Object.entries(collections)) {
    methodsOf(router, `/${name}`, {
      get(request, response) {
        // RFC 7644 section 4: a filter here is refused, so that no client takes the whole for a part.
        if (request.query["filter"] !== undefined) throw new AppError("forbidden", `${name} can't be filtered.`);
        sendJson(response, listOf(resources(callOf(response))));
      },
    });
    methodsOf(router, `/${name}/:id`, {
      get(request: Request, response: Response) {
        const id = String(request.params["id"]).toLowerCase();
        const found = resources(callOf(response)).find((resource) => resource.id.toLowerCase() === id);
        if (!found) throw new AppError("not_found", `There is nothing at ${request.path}.`);
        sendJson(response, found);
      },
    });
  }
}

function notImplemented(response: Response, detail: string): void {
  sendJson(response, scimError(501, { detail }), { status: 501 });
}

function failed({ log }: ScimDoorOptions): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const { status, headers, body } = errorAnswer(error, { log });
    response.set(headers);
    sendJson(response, body, { status });
  };
}
