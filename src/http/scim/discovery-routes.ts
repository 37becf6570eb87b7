import type { Request, Router } from "express";
import { AppError } from "../../errors.ts";
import { callOf } from "./call.ts";
import { listOf, resourceTypes, schemaResources, serviceProviderConfig } from "./discovery.ts";
import { methodsOf, sendJson } from "./respond.ts";

const COLLECTIONS = { Schemas: schemaResources, ResourceTypes: resourceTypes } as const;

/** What the door can do, its types of resources and their schemas (RFC 7644 section 4). `bodyLimit` in bytes. */
export function discoveryRoutes(router: Router, { bodyLimit }: { bodyLimit: number }): void {
  methodsOf(router, "/ServiceProviderConfig", {
    get(request, response) {
      refuseFilter(request);
      sendJson(response, serviceProviderConfig({ ...callOf(response), bodyLimit }));
    },
  });
  for (const [name, resources] of Object.entries(COLLECTIONS)) {
    methodsOf(router, `/${name}`, {
      get(request, response) {
        refuseFilter(request);
        sendJson(response, listOf(resources(callOf(response))));
      },
    });
    methodsOf(router, `/${name}/:id`, {
      get(request, response) {
        const id = String(request.params["id"]).toLowerCase();
        const found = resources(callOf(response)).find((resource) => resource.id.toLowerCase() === id);
        if (!found) throw new AppError("not_found", `There is nothing at ${request.path}.`);
        sendJson(response, found);
      },
    });
  }
}

/** Whoever asks for a part must not take the whole for it; sorting, paging and projections are ignored, as the RFC says. */
function refuseFilter({ query, path }: Request): void {
  if (Object.keys(query).some((name) => name.toLowerCase() === "filter"))
    throw new AppError("forbidden", `${path} can't be filtered.`, { field: "filter" });
}
