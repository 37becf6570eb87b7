import type { Request, RequestHandler, Response, Router } from "express";
import { AppError } from "../../errors.ts";
import { callOf, type Call, type ScimDoorOptions } from "./call.ts";
import { checkedBody, type JsonObject } from "./json.ts";
import { listParts, listResources, readPage } from "./list.ts";
import { askedNames, projectionOf, readListRequest, refuseOtherMessages } from "./list-request.ts";
import { isNamed, isStill } from "./not-modified.ts";
import { sendInPortions } from "./portions.ts";
import { readProjection, refuseBoth, standing } from "./projection.ts";
import { proven, provenWrite } from "./proven.ts";
import { findProven, findResource, type Found } from "./read.ts";
import { writableType, type ResourceType, type WritableType } from "./resource-type.ts";
import { methodsOf, sendJson, sendParts } from "./respond.ts";
import { createAtOnce, createResource, deleteResource, patchAtOnce, patchResource, replaceAtOnce, replaceResource } from "./write.ts";

/** Where the resources of a type stand, and the type as a call's organisation has it. */
interface Place {
  door: ScimDoorOptions;
  endpoint: string;
  typeFor(call: Call): ResourceType;
}

/** The endpoints of a type that clients read and write (RFC 7644 section 3.2). */
export function writableRoutes(
  router: Router,
  { door, kind, endpoint }: { door: ScimDoorOptions; kind: WritableType["kind"]; endpoint: string },
): void {
  const typeFor = (call: Call) => writableType(call, kind);
  const place = { door, endpoint, typeFor };
  const change = (request: Request, call: Call) => ({
    type: typeFor(call),
    call,
    id: idOf(request),
    preconditions: { ifMatch: request.get("If-Match"), ifNoneMatch: request.get("If-None-Match") },
  });

  methodsOf(router, endpoint, {
    get: list(place),
    async post(request, response) {
      const body = bodyOf(request);
      const { call, value } = await provenWrite(response, {
        atOnce: (claimed, proof) => createAtOnce(door, { type: typeFor(claimed), call: claimed, proof, body }),
        inFull: (known) => createResource(door, { type: typeFor(known), call: known, body }),
      });
      await sendResource({ request, response, place }, { call, ...value, status: 201 });
    },
  });
  methodsOf(router, `${endpoint}/.search`, { post: search(place) });
  methodsOf(router, `${endpoint}/:id`, {
    get: read(place),
    async put(request, response) {
      const body = bodyOf(request);
      const { call, value } = await provenWrite(response, {
        atOnce: (claimed, proof) => replaceAtOnce(door, { ...change(request, claimed), proof, body }),
        inFull: (known) => replaceResource(door, { ...change(request, known), body }),
      });
      await sendResource({ request, response, place }, { call, ...value, status: 200 });
    },
    async patch(request, response) {
      const body = bodyOf(request);
      const { call, value } = await provenWrite(response, {
        atOnce: (claimed, proof) => patchAtOnce(door, { ...change(request, claimed), proof, body }),
        inFull: (known) => patchResource(door, { ...change(request, known), body }),
      });
      const { id, etag, found } = value;
      // A group may have a hundred thousand members: who adds one must not have to read them all back.
      if (kind === "group" && !projectionOf(typeFor(call).schema, request.query))
        await sendVersion({ request, response, place }, { call, id, etag });
      else await sendResource({ request, response, place }, { call, id, found, status: 200 });
    },
    async delete(request, response) {
      await deleteResource(door, change(request, callOf(response)));
      response.status(204).end();
    },
  });
}

/** A write's body. What its answer can't be is refused now: found afterwards, a failure would be told of what was done. Throws `invalid`. */
function bodyOf({ body, query }: Request): JsonObject {
  refuseBoth(askedNames(query));
  return checkedBody(body);
}

/** The endpoints of a type that clients only read; any other method is answered with 405. */
export function readOnlyRoutes(router: Router, { door, type }: { door: ScimDoorOptions; type: ResourceType }): void {
  const { endpoint } = type.schema;
  const place = { door, endpoint, typeFor: () => type };
  methodsOf(router, endpoint, { get: list(place) });
  methodsOf(router, `${endpoint}/.search`, { post: search(place) });
  methodsOf(router, `${endpoint}/:id`, { get: read(place) });
}

function list({ door, typeFor }: Place): RequestHandler {
  return async (request, response) => {
    const { value } = await proven(response, async (call, proof) => {
      const type = typeFor(call);
      const asked = readListRequest(type.schema, request.query);
      const page = await readPage(door, { type, call, request: asked, proof });
      return { stamp: page.stamp, parts: listParts(page, asked) };
    });
    sendParts(response, value.parts);
  };
}

function search({ door, typeFor }: Place): RequestHandler {
  return async (request, response) => {
    const call = callOf(response);
    const type = typeFor(call);
    const body = checkedBody(request.body);
    refuseOtherMessages(body);
    sendParts(response, await listResources(door, { type, call, request: readListRequest(type.schema, body) }));
  };
}

function read(place: Place): RequestHandler {
  return async (request, response) => {
    const id = idOf(request);
    const { db } = place.door;
    const { call, value } = await proven(response, (reader, proof) => {
      const type = place.typeFor(reader);
      const projection = projectionOf(type.schema, request.query);
      // What nothing has to be taken out of goes out as it is read.
      const sparing = projection === undefined && standing(type.schema) === undefined;
      return findProven(db.keyedReads, { type, call: reader, id, projection, proof, sparing });
    });
    const { found } = value;
    const type = place.typeFor(call);
    const projection = projectionOf(type.schema, request.query);
    if (found && isNamed(request, found) && (await isStill(db.readPool, { type, call, id, projection }))) {
      response.set("ETag", found.version).status(304).end();
      return;
    }
    const isLong = found?.isSpared === true;
    if (isLong && (await sendInPortions(response, { db, type, call, id, found }))) return;
    // It moved between the two reads: then as one.
    const whole = isLong ? await findResource(db.readPool, { type, call, id }) : found;
    sendFound({ request, response, place }, { call, id, status: 200, found: whole });
  };
}

interface Exchange {
  request: Request;
  response: Response;
  place: Place;
}

async function sendVersion(
  { response, place: { door, typeFor } }: Exchange,
  { call, id, etag }: { call: Call; id: string; etag: string | undefined },
): Promise<void> {
  const type = typeFor(call);
  const projection = readProjection(type.schema, { attributes: ["id"] });
  const version = etag ?? (await findResource(door.db.pool, { type, call, id, projection }))?.version;
  if (version !== undefined) response.set("ETag", version);
  response.status(204).end();
}

/** What was written, read back with what others ask at this moment unless it is known. */
async function sendResource(
  exchange: Exchange,
  { call, id, status, found: known }: { call: Call; id: string; status: number; found?: Found },
): Promise<void> {
  const { door, typeFor } = exchange.place;
  const type = typeFor(call);
  const projection = projectionOf(type.schema, exchange.request.query);
  const found =
    projection === undefined && known
      ? known
      : (await findProven(door.db.keyedReads, { type, call, id, projection, proof: undefined })).found;
  sendFound(exchange, { call, id, status, found });
}

function sendFound(
  { response, place: { endpoint, typeFor } }: Exchange,
  { call, id, status, found }: { call: Call; id: string; status: number; found: Found | undefined },
): void {
  if (!found) throw new AppError("not_found", `There is no ${typeFor(call).schema.type} ${id} here.`);
  response.set("ETag", found.version);
  if (status === 201) response.set("Location", `${call.base}${endpoint}/${id}`);
  sendJson(response, found.text, { status });
}

function idOf(request: Request): string {
  return String(request.params["id"]);
}
