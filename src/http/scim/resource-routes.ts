import type { Request, Response, Router } from "express";
import { AppError } from "../../errors.ts";
import { callOf, type ScimDoorOptions } from "./call.ts";
import { checkedBody } from "./json.ts";
import { projectionOf, readListRequest, refuseOtherMessages } from "./list-request.ts";
import { isMatch } from "./preconditions.ts";
import { readProjection } from "./projection.ts";
import { findResource, listResources } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import { methodsOf, sendJson } from "./respond.ts";
import { createResource, deleteResource, patchResource, replaceResource } from "./write.ts";

/** The endpoints of one resource type (RFC 7644 section 3.2). */
export function resourceRoutes(router: Router, { door, type }: { door: ScimDoorOptions; type: ResourceType }): void {
  const { endpoint } = type.schema;
  const change = (request: Request, response: Response) => ({
    type,
    call: callOf(response),
    id: idOf(request),
    ifMatch: request.get("If-Match"),
  });

  methodsOf(router, endpoint, {
    async get(request, response) {
      const asked = readListRequest(type.schema, request.query);
      sendJson(response, await listResources(door.db, { type, call: callOf(response), request: asked }));
    },
    async post(request, response) {
      const { id } = await createResource(door, { type, call: callOf(response), body: checkedBody(request.body) });
      await sendResource(request, response, { id, status: 201 });
    },
  });

  methodsOf(router, `${endpoint}/.search`, {
    async post(request, response) {
      const body = checkedBody(request.body);
      refuseOtherMessages(body);
      sendJson(response, await listResources(door.db, { type, call: callOf(response), request: readListRequest(type.schema, body) }));
    },
  });

  methodsOf(router, `${endpoint}/:id`, {
    async get(request, response) {
      await sendResource(request, response, { id: idOf(request), status: 200 });
    },
    async put(request, response) {
      const { id } = await replaceResource(door, { ...change(request, response), body: checkedBody(request.body) });
      await sendResource(request, response, { id, status: 200 });
    },
    async patch(request, response) {
      const { id } = await patchResource(door, { ...change(request, response), body: checkedBody(request.body) });
      // A group may have a hundred thousand members: who adds one must not have to read them all back.
      if (type.kind === "group" && !projectionOf(type.schema, request.query)) await sendVersion(response, id);
      else await sendResource(request, response, { id, status: 200 });
    },
    async delete(request, response) {
      await deleteResource(door, change(request, response));
      response.status(204).end();
    },
  });

  async function sendVersion(response: Response, id: string): Promise<void> {
    const found = await findResource(door.db.pool, {
      type,
      call: callOf(response),
      id,
      projection: readProjection(type.schema, { attributes: ["id"] }),
    });
    if (found) response.set("ETag", found.version);
    response.status(204).end();
  }

  async function sendResource(request: Request, response: Response, { id, status }: { id: string; status: number }): Promise<void> {
    const call = callOf(response);
    const found = await findResource(door.db.pool, { type, call, id, projection: projectionOf(type.schema, request.query) });
    if (!found) throw new AppError("not_found", `There is no ${type.schema.type} ${id} here.`);
    response.set("ETag", found.version);
    if (status === 201) response.set("Location", `${call.base}${endpoint}/${id}`);
    const ifNoneMatch = request.method === "GET" ? request.get("If-None-Match") : undefined;
    if (ifNoneMatch !== undefined && isMatch(ifNoneMatch, found.version)) response.status(304).end();
    else sendJson(response, found.text, { status });
  }
}

function idOf(request: Request): string {
  return String(request.params["id"]);
}
