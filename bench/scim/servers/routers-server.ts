import type { RequestListener } from "node:http";
import express from "express4";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { memoryStore } from "./memory-store.ts";
import { postgresStore } from "./postgres-store.ts";
import type { Kind, Resource, Store } from "./routers-store.ts";
import { serve, type ServerJob } from "./serve.ts";

interface Handled {
  id?: string;
  filter?: Parameters<Store["findMany"]>[1]["filter"];
  /** The list's total goes out with the constraints: see ListResponse of scimmy. */
  constraints?: { startIndex?: number; count?: number; totalResults?: number };
}

/** What scimmy's users and groups have in common; its own types differ by what a handler may return. */
interface ResourceType {
  ingress(handler: (resource: Handled, data: object) => Promise<Resource>): void;
  egress(handler: (resource: Handled) => Promise<Resource | Resource[]>): void;
  degress(handler: (resource: Handled) => Promise<void>): void;
}

/** scimmy-routers as its documentation shows it: each handler passes to a controller what it was asked for. */
serve(async (job: ServerJob & { kind: "memory" | "postgres" }): Promise<RequestListener> => {
  const store = job.kind === "memory" ? memoryStore(job.people) : postgresStore(job);
  declare(SCIMMY.Resources.declare(SCIMMY.Resources.User) as unknown as ResourceType, { store, kind: "users" });
  SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
  declare(SCIMMY.Resources.declare(SCIMMY.Resources.Group) as unknown as ResourceType, { store, kind: "groups" });
  const app = express();
  app.use(
    "/scim",
    new SCIMMYRouters({
      type: "bearer",
      handler: (request) => {
        if (request.header("authorization") !== `Bearer ${job.token}`) throw new Error("The bearer token is not known here");
        return "bench";
      },
    }),
  );
  return app;
});

function declare(type: ResourceType, { store, kind }: { store: Store; kind: Kind }): void {
  type.ingress(async (resource, data) => {
    const attributes = JSON.parse(JSON.stringify(data)) as Resource;
    const stored = resource.id === undefined ? await store.create(kind, attributes) : await store.update(kind, resource.id, attributes);
    return stored ?? missing(resource);
  });
  type.egress(async (resource) => {
    if (resource.id !== undefined) return (await store.findOne(kind, resource.id)) ?? missing(resource);
    const { filter, constraints = {} } = resource;
    const { resources, total, paged } = await store.findMany(kind, { filter, constraints });
    if (paged) resource.constraints = { ...constraints, totalResults: total };
    return resources;
  });
  type.degress(async (resource) => {
    if (!(await store.remove(kind, resource.id ?? ""))) missing(resource);
  });
}

function missing({ id }: Handled): never {
  throw new SCIMMY.Types.Error(404, "", `Resource ${id ?? ""} not found`);
}
