import { Fault, type AttributeObject, type Kind, type OpenOptions } from "../contract.ts";
import { openHttp, type HttpAnswer, type HttpRequest } from "../kit/http.ts";
import type { ScimSettings } from "./config.ts";

export const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
export const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SCIM_JSON = "application/scim+json";

/** What the application can do (RFC 7643 section 5), after the administrator's corrections. */
export interface Abilities {
  patch: boolean;
  filter: boolean;
}

/** A list response (RFC 7644 section 3.4.2), as far as it can be trusted. */
export interface ListPage {
  resources: AttributeObject[];
  totalResults: number | undefined;
}

/** SCIM over HTTP: paths, media type and message forms, nothing of what we want there. */
export interface ScimClient {
  abilities(): Promise<Abilities>;
  list(kind: Kind, query: { startIndex?: number; count?: number; filter?: string }): Promise<ListPage>;
  /** Undefined when there is none. */
  get(kind: Kind, id: string): Promise<AttributeObject | undefined>;
  create(kind: Kind, resource: AttributeObject): Promise<AttributeObject>;
  patch(kind: Kind, id: string, operations: readonly object[]): Promise<void>;
  put(kind: Kind, id: string, resource: AttributeObject): Promise<void>;
  /** Nothing happens when there is none. */
  remove(kind: Kind, id: string): Promise<void>;
  close(): Promise<void>;
}

export function openClient({ settings, signal, now }: OpenOptions<ScimSettings>): ScimClient {
  const http = openHttp({
    system: `The SCIM application at ${new URL(settings.url).origin}`,
    baseUrl: settings.url,
    credential: () => ({ authorization: `Bearer ${settings.token}` }),
    ca: settings.ca,
    timeoutMs: settings.timeoutMs,
    signal,
    now,
  });
  const call = (request: HttpRequest): Promise<HttpAnswer> => http.request({ contentType: SCIM_JSON, ...request });
  let discovered: Promise<Abilities> | undefined;

  return {
    abilities() {
      discovered ??= discover(call, settings).catch((error: unknown) => {
        // A failed discovery is asked again by the next call.
        discovered = undefined;
        throw error;
      });
      return discovered;
    },
    async list(kind, query) {
      const { body } = await call({ method: "GET", path: pathOf(kind), query });
      return listPage(body);
    },
    async get(kind, id) {
      const { status, body } = await call({ method: "GET", path: pathOf(kind, id), expect: [404, 410] });
      return status >= 400 ? undefined : resourceOf(body);
    },
    async create(kind, resource) {
      const { body } = await call({ method: "POST", path: pathOf(kind), body: resource });
      return resourceOf(body);
    },
    async patch(kind, id, operations) {
      await call({ method: "PATCH", path: pathOf(kind, id), body: { schemas: [PATCH_OP], Operations: operations } });
    },
    async put(kind, id, resource) {
      await call({ method: "PUT", path: pathOf(kind, id), body: resource });
    },
    async remove(kind, id) {
      await call({ method: "DELETE", path: pathOf(kind, id), expect: [404, 410] });
    },
    close: () => http.close(),
  };
}

function pathOf(kind: Kind, id?: string): string {
  if (kind === "unit") throw new Fault("rejected", "A SCIM application has no units.");
  return `/${kind === "user" ? "Users" : "Groups"}${id === undefined ? "" : `/${encodeURIComponent(id)}`}`;
}

/** Applications without a ServiceProviderConfig are taken at their word that they speak SCIM. */
async function discover(call: (request: HttpRequest) => Promise<HttpAnswer>, { serviceProvider, patch }: ScimSettings): Promise<Abilities> {
  const { status, body } = await call({ method: "GET", path: "/ServiceProviderConfig", expect: [400, 404, 405, 501] });
  const said = (name: string): boolean => {
    const entry = status < 300 && isObject(body) ? body[name] : undefined;
    return isObject(entry) && typeof entry["supported"] === "boolean" ? entry["supported"] : true;
  };
  return {
    patch: patch === "auto" ? (serviceProvider.patch ?? said("patch")) : patch === "patch",
    filter: serviceProvider.filter ?? said("filter"),
  };
}

function listPage(body: unknown): ListPage {
  if (!isObject(body))
    throw new Fault("misconfigured", "The SCIM application answered a listing with something that is no list response. Check the URL.");
  const { Resources: resources, totalResults } = body as { Resources?: unknown; totalResults?: unknown };
  return {
    resources: Array.isArray(resources) ? resources.filter(isObject) : [],
    totalResults: typeof totalResults === "number" ? totalResults : undefined,
  };
}

function resourceOf(body: unknown): AttributeObject {
  if (isObject(body) && typeof body["id"] === "string" && body["id"] !== "") return body;
  throw new Fault("rejected", "The SCIM application answered with a resource that has no id (RFC 7643 section 3.1).");
}

export function isObject(value: unknown): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
