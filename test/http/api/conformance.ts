import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { openApiOf, type JsonSchema, type OpenApiDocument } from "../../../src/http/api/openapi.ts";
import { matchRoute } from "../../../src/http/api/match-route.ts";
import type { Method, Route } from "../../../src/http/api/route.ts";
import { apiRoutes } from "../../../src/http/api/routes.ts";

interface Answer {
  method: string;
  /** Below /api/v1, with its query. */
  path: string;
  status: number;
  type: string;
  body: unknown;
}

const routes = apiRoutes();
const described: OpenApiDocument = openApiOf(routes, { version: "0.0.0" });
const ajv = new Ajv2020({ strict: false, allErrors: true });
// The package's types know of a default export only where there is none.
(formats as unknown as (target: Ajv2020) => void)(ajv);
const compiled = new Map<JsonSchema, ValidateFunction>();

/** Throws when a real answer is not what the published OpenAPI document says of this route. */
export function requireConformance({ method, path, status, type, body }: Answer): void {
  const found = matchRoute(routes, { method: method.toLowerCase() as Method, path: path.replace(/\?.*$/, "") });
  if (!found || status === 405) return;
  const { route } = found;
  const { responses = {} } = described.paths[route.path]?.[route.method] ?? {};
  // What the frame itself says of any request whatever, and what the caller can do nothing about, need not be told route by route.
  const anywhere = [409, 413, 415, 422, 429].includes(status) || status >= 500;
  const response = responses[String(status)] ?? (anywhere ? responses["default"] : undefined);
  const name = `${method} ${route.path} answered ${status}`;
  if (!response) throw new Error(`${name}, which the document does not list`);
  const [media, { schema }] = Object.entries(response.content ?? {})[0] ?? ["", { schema: {} }];
  if (media === "" || route.sends !== undefined) return;
  if (!type.startsWith(media)) throw new Error(`${name} as ${type}, and the document says ${media}`);
  requireShape(name, schema, body);
}

function requireShape(name: string, schema: JsonSchema, body: unknown): void {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile({ ...schema, components: described.components });
    compiled.set(schema, validate);
  }
  if (!validate(body)) throw new Error(`${name} with a body that is not as published: ${ajv.errorsText(validate.errors)}`);
}

/** Whether the published document takes this as a route's JSON body. */
export function isTakenAsPublished({ method, path }: Pick<Route, "method" | "path">, body: unknown): boolean {
  if (!ajv.getSchema(DOCUMENT)) ajv.addSchema({ ...described, $id: DOCUMENT });
  const validate = ajv.getSchema(`${DOCUMENT}#/paths/${pointer(path)}/${method}/requestBody/content/${pointer("application/json")}/schema`);
  return validate?.(body) === true;
}

const DOCUMENT = "openapi.json";
/** One step of a JSON pointer in a URI fragment (RFC 6901 section 6). */
const pointer = (step: string) => encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"));
