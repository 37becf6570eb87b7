import { AppError } from "../../../errors.ts";
import type { Call, ScimDoorOptions } from "../call.ts";
import { bendMessage } from "../dialects/request.ts";
import { checkedBody, type JsonObject } from "../json.ts";
import { readProjection } from "../projection.ts";
import { findResource } from "../read.ts";
import { writableType, type WritableType } from "../resource-type.ts";
import { createResource, deleteResource, patchResource, replaceResource, type Written } from "../write.ts";
import type { BulkOperation } from "./request.ts";

/** What became of an operation that succeeded. */
export interface Performed {
  status: 200 | 201 | 204;
  id: string;
  location: string;
  /** The entity tag after it; absent when nothing is left to have one. */
  version?: string;
}

const KINDS: ReadonlyMap<string, WritableType["kind"]> = new Map([
  ["users", "user"],
  ["groups", "group"],
]);

/** A path's type and id: `/Users`, `/Groups/2819c223`. Throws `not_found` for what no client writes. */
export function placeOf(call: Call, path: string): { type: WritableType; id: string | undefined } {
  const local = path.startsWith(call.base) ? path.slice(call.base.length) : path;
  const [, endpoint, id] = /^\/?([A-Za-z]+)(?:\/([^/?#]+))?\/?$/.exec(local) ?? [];
  const kind = KINDS.get(endpoint?.toLowerCase() ?? "");
  if (!kind) throw new AppError("not_found", `There is nothing to write at ${path.slice(0, 200) || "an empty path"}.`, { field: "path" });
  return { type: writableType(call, kind), id };
}

/** Carries out one operation, as if it had come alone; its references have been resolved. Throws what a single request would throw. */
export async function perform(door: ScimDoorOptions, { call, operation }: { call: Call; operation: BulkOperation }): Promise<Performed> {
  const { method, path, version } = operation;
  const { type, id } = placeOf(call, path);
  if (method === "POST") {
    if (id !== undefined) throw wrong("path", `a POST goes to ${type.schema.endpoint}, not to one of them`);
    if (operation.bulkId === undefined) throw wrong("bulkId", "a POST needs one, by which its answer is known");
    const written = await createResource(door, { type, call, body: bodyOf(door, { call, type, operation }) });
    return await performed(door, { type, call, written, status: 201 });
  }
  if (id === undefined) throw wrong("path", `a ${method || "request"} names one resource: ${type.schema.endpoint}/<id>`);
  const change = { type, call, id, preconditions: { ifMatch: version } };
  switch (method) {
    case "PUT":
      return await performed(door, {
        type,
        call,
        written: await replaceResource(door, { ...change, body: bodyOf(door, { call, type, operation }) }),
        status: 200,
      });
    case "PATCH":
      return await performed(door, {
        type,
        call,
        written: await patchResource(door, { ...change, body: bodyOf(door, { call, type, operation }) }),
        status: 200,
      });
    case "DELETE":
      await deleteResource(door, change);
      return { status: 204, id, location: locationOf(call, { type, id }) };
    default:
      throw wrong("method", "must be POST, PUT, PATCH or DELETE");
  }
}

/** Where the one resource that a path names stands, if it names one (RFC 7644 section 3.7.3). */
export function locationAt(call: Call, path: string): string | undefined {
  try {
    const { type, id } = placeOf(call, path);
    return id === undefined || /^bulkId:/i.test(id) ? undefined : locationOf(call, { type, id });
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** The body in the form of the RFCs, as a single request's would be. */
function bodyOf(
  { quirks }: ScimDoorOptions,
  { call, type, operation: { method, data } }: { call: Call; type: WritableType; operation: BulkOperation },
): JsonObject {
  if (data) return checkedBody(bendMessage({ method, path: type.schema.endpoint, body: data }, { call, quirks }));
  throw wrong("data", `a ${method} needs it: the body of the request`);
}

async function performed(
  door: ScimDoorOptions,
  { type, call, written, status }: { type: WritableType; call: Call; written: Written; status: 200 | 201 },
): Promise<Performed> {
  const { id } = written;
  const version = written.etag ?? written.found?.version ?? (await versionOf(door, { type, call, id }));
  return { status, id, location: locationOf(call, { type, id }), ...(version === undefined ? {} : { version }) };
}

async function versionOf(
  door: ScimDoorOptions,
  { type, call, id }: { type: WritableType; call: Call; id: string },
): Promise<string | undefined> {
  const projection = readProjection(type.schema, { attributes: ["id"] });
  return (await findResource(door.db.pool, { type, call, id, projection }))?.version;
}

function locationOf({ base }: Call, { type, id }: { type: WritableType; id: string }): string {
  return `${base}${type.schema.endpoint}/${id}`;
}

function wrong(field: string, what: string): AppError {
  return new AppError("invalid", `${field}: ${what}.`, { field, scimType: "invalidSyntax" });
}
