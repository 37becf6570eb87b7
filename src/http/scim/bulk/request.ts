import { AppError } from "../../../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

/** RFC 7644 section 3.7. */
export const BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/** Most operations in one request. */
export const MOST_OPERATIONS = 1000;

/** One operation as a client wrote it; what is wrong with it is its own failure, not the request's. */
export interface BulkOperation {
  /** In capitals; perhaps none that there is. */
  method: string;
  path: string;
  /** A name that the client gave to what it makes, for references within the request. */
  bulkId?: string;
  /** The entity tag that the resource must still have. */
  version?: string;
  /** The body of the request: a resource, a message, or a bare list of a patch's operations, as RFC 7644 section 3.7.3 itself shows it. */
  data?: JsonObject | JsonValue[];
}

export interface BulkRequest {
  operations: readonly BulkOperation[];
  /** How many failures end the rest; undefined = none does. */
  failOnErrors: number | undefined;
}

/** Reads a request's body, names in any case. Throws `invalid`; `too_large` for more operations than there may be. */
export function readBulkRequest(body: JsonObject): BulkRequest {
  const schemas = member(body, "schemas");
  if (!Array.isArray(schemas) || !schemas.some((urn) => String(urn).toLowerCase() === BULK_REQUEST.toLowerCase()))
    throw refused("schemas", `must contain ${BULK_REQUEST}`);
  const operations = member(body, "Operations");
  if (!Array.isArray(operations)) throw refused("Operations", "must be a list");
  if (operations.length > MOST_OPERATIONS) {
    throw new AppError(
      "too_large",
      `${operations.length} operations are more than maxOperations (${MOST_OPERATIONS}): send them in parts.`,
      {
        field: "Operations",
      },
    );
  }
  const read = operations.map(operationOf);
  refuseTwins(read);
  return { operations: read, failOnErrors: failOnErrorsOf(body) };
}

function operationOf(given: JsonValue, at: number): BulkOperation {
  const field = `Operations[${at}]`;
  if (!isJsonObject(given)) throw refused(field, "must be an object");
  const bulkId = text(given, { field, name: "bulkId" });
  const version = text(given, { field, name: "version" });
  const data = dataOf(member(given, "data"), `${field}.data`);
  return {
    method: (text(given, { field, name: "method" }) ?? "").toUpperCase(),
    path: text(given, { field, name: "path" }) ?? "",
    ...(bulkId ? { bulkId } : {}),
    ...(version ? { version } : {}),
    ...(data ? { data } : {}),
  };
}

function dataOf(given: JsonValue | undefined, field: string): JsonObject | JsonValue[] | undefined {
  if (given === undefined || given === null || isJsonObject(given) || Array.isArray(given)) return given ?? undefined;
  throw refused(field, "must be an object");
}

function refuseTwins(operations: readonly BulkOperation[]): void {
  const known = new Set<string>();
  for (const [at, { method, bulkId }] of operations.entries()) {
    if (method !== "POST" || bulkId === undefined) continue;
    if (known.has(bulkId)) throw refused(`Operations[${at}].bulkId`, `\`${bulkId.slice(0, 100)}\` names another operation already`);
    known.add(bulkId);
  }
}

function failOnErrorsOf(body: JsonObject): number | undefined {
  const given = member(body, "failOnErrors");
  if (given === undefined || given === null) return undefined;
  if (typeof given !== "number" || !Number.isInteger(given) || given < 1) throw refused("failOnErrors", "must be a whole number from 1");
  return given;
}

function text(holder: JsonObject, { field, name }: { field: string; name: string }): string | undefined {
  const given = member(holder, name);
  if (given === undefined || given === null || typeof given === "string") return given ?? undefined;
  throw refused(`${field}.${name}`, "must be a text");
}

function member(holder: JsonObject, name: string): JsonValue | undefined {
  if (holder[name] !== undefined) return holder[name];
  return Object.entries(holder).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

function refused(field: string, what: string): AppError {
  return new AppError("invalid", `${field}: ${what}.`, { field, scimType: "invalidSyntax" });
}
