import { Fault, type AttributeObject, type FaultKind, type Kind, type OpenOptions } from "../contract.ts";
import { openHttp, type HttpAnswer, type HttpRequest } from "../kit/http.ts";
import { discoverAbilities, type Abilities } from "./abilities.ts";
import type { ScimSettings } from "./config.ts";
import { changeByVersion, VERSION_DEMANDED } from "./demanded-version.ts";
import { askedByFilter, errorIn, isGone, refusalOf, type Asking } from "./doubts.ts";
import { isUsableId } from "./ids.ts";
import { isObject } from "./json.ts";
import { withKnownNames } from "./names.ts";

export const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
export const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SCIM_JSON = "application/scim+json";
const GONE = [404, 410];
const NOT_OFFERED = [405, 501];

/** A list response (RFC 7644 section 3.4.2, RFC 9865 section 2), as far as it can be trusted. */
export interface ListPage {
  resources: AttributeObject[];
  totalResults: number | undefined;
  nextCursor: string | undefined;
}

export interface ListQuery {
  startIndex?: number;
  /** Empty for the first page. */
  cursor?: string;
  count?: number;
  filter?: string;
}

/** How an application took a change that it might have refused for its form. */
export type Taken = "taken" | "too large" | "no such form" | "no target" | "not offered";

/** What turned out while we spoke with the application, beside what it says of itself; kept while the client is open. */
export interface Learned {
  /** Changes of users by PATCH: seen to work, as far as the application tells; false when they are refused, or do nothing. */
  userPatch?: boolean;
  /** Who is active was switched by a value without a path, where a path was refused. */
  withoutPath?: boolean;
  /** Changes of groups by PATCH: seen to work, or to do nothing. */
  groupPatch?: boolean;
  /** Groups were seen with members; false when it turned out that they never are. */
  showsMembers?: boolean;
  /** Value paths of members are not understood. */
  removalByList?: boolean;
  /** Most member changes in one PATCH. */
  memberBatch?: number;
  /** Nothing is put without the version that it was made from, whatever the application says of versions. */
  versioned?: boolean;
  /** Attributes by which filters are refused or ignored, or find nobody. */
  readonly unfiltered: Set<string>;
  /** Attributes by which a filter has found somebody: where nobody matches, its 404 says so. */
  readonly filtered: Set<string>;
  /** Attributes that nobody listed had, and how many more 404s to their filters are believed for it. */
  readonly unheld: Map<string, number>;
}

/** SCIM over HTTP: paths, media type and message forms, nothing of what we want there. */
export interface ScimClient {
  readonly learned: Learned;
  abilities(): Promise<Abilities>;
  /** By a filter, `gone` may only mean that nobody matches, and `rejected` is the filter's affair. */
  list(kind: Kind, query: ListQuery): Promise<ListPage>;
  /** Undefined when there is none. */
  get(kind: Kind, id: string): Promise<AttributeObject | undefined>;
  /** Undefined when it was made without a word of where it is. */
  create(kind: Kind, resource: AttributeObject): Promise<AttributeObject | undefined>;
  /** What the application says that the resource is now, where it says so; `not offered` where the settings leave it to the application whether there is PATCH. */
  patch(kind: Kind, id: string, operations: readonly object[]): Promise<AttributeObject | undefined | "not offered">;
  /** As patch, for a form that may not suit the application; other faults are thrown. */
  tryPatch(kind: Kind, id: string, operations: readonly object[]): Promise<Taken>;
  /** With the version that was read: false when somebody else has changed it since, or it has to be named and was not (learned.versioned). */
  put(kind: Kind, id: string, options: { resource: AttributeObject; version?: string }): Promise<boolean>;
  /** `gone` when there is none. */
  remove(kind: Kind, id: string): Promise<"removed" | "gone">;
  close(): Promise<void>;
}

export function openClient({ settings, signal, now, network, conversation }: OpenOptions<ScimSettings>): ScimClient {
  const system = `The SCIM application at ${new URL(settings.url).origin}`;
  const http = openHttp({
    system,
    baseUrl: settings.url,
    credential: () => ({ authorization: `Bearer ${settings.token}` }),
    ca: settings.ca,
    proxy: settings.proxy,
    network,
    conversation,
    timeoutMs: settings.timeoutMs,
    faultOf,
    errorIn,
    signal,
    now,
  });
  const call = async (request: HttpRequest): Promise<HttpAnswer> => {
    const answer = await http.request({ contentType: SCIM_JSON, ...request });
    return { ...answer, body: withKnownNames(answer.body) };
  };
  const asking = (kind: Kind): Asking => ({ system, collection: pathOf(kind), call });
  /** A change: what is refused is told apart from a credential that is. */
  const change = async (kind: Kind, request: HttpRequest): Promise<HttpAnswer> => {
    try {
      return await call(request);
    } catch (error) {
      throw await refusalOf(error, asking(kind));
    }
  };
  const changeOf = (kind: Kind, id: string, request: Omit<HttpRequest, "path">): Promise<HttpAnswer> =>
    changeByVersion(
      { ...request, path: pathOf(kind, id), mayBeText: true },
      {
        system,
        change: (versioned) => change(kind, versioned),
        version: async () => versionOf((await client.get(kind, id)) ?? {}),
      },
    );
  /** Of a change that was answered with 404: some say so of what they do not offer, and whoever is to leave must not be taken for gone because of it. Throws `gone`. */
  const stillThere = async (kind: Kind, id: string): Promise<AttributeObject> => {
    const there = await client.get(kind, id);
    if (!there) throw new Fault("gone", `${system} has no ${kind} ${id} any more.`);
    return there;
  };
  const unanswered = (method: string, kind: Kind, id: string): Fault =>
    new Fault(
      "rejected",
      `${system} answers ${method} of the ${kind} ${id} as if there were none, and shows it: perhaps it does not offer ${method}.`,
    );
  let discovered: Promise<Abilities> | undefined;

  const client: ScimClient = {
    learned: { unfiltered: new Set(), filtered: new Set(), unheld: new Map() },
    abilities() {
      discovered ??= discoverAbilities(call, settings).catch((error: unknown) => {
        // A failed discovery is asked again by the next call.
        discovered = undefined;
        throw error;
      });
      return discovered;
    },
    async list(kind, query) {
      const request: HttpRequest = { method: "GET", path: pathOf(kind), query: { ...query } };
      const { body } = await (query.filter === undefined ? call(request) : askedByFilter(request, asking(kind)));
      return listPage(body);
    },
    async get(kind, id) {
      const answer = await call({ method: "GET", path: pathOf(kind, id), expect: GONE });
      return (await isGone(answer, asking(kind))) ? undefined : withVersion(resourceOf(answer.body), answer.headers["etag"]);
    },
    async create(kind, resource) {
      const { body, headers } = await change(kind, { method: "POST", path: pathOf(kind), body: resource });
      if (isObject(body) && body["id"] !== undefined) return resourceOf(body);
      // Some answer with nothing but where it is.
      const id = idIn(headers["location"]);
      return id === undefined ? undefined : await client.get(kind, id);
    },
    async patch(kind, id, operations) {
      const isOpen = (kind === "group" ? settings.groupPatch : settings.patch) === "auto";
      const { status, body } = await changeOf(kind, id, {
        method: "PATCH",
        body: { schemas: [PATCH_OP], Operations: operations },
        expect: isOpen ? [...GONE, 405, 501] : GONE,
      });
      if (GONE.includes(status)) await stillThere(kind, id);
      if (status >= 400 && !isOpen) throw unanswered("PATCH", kind, id);
      if (status >= 400) return "not offered";
      return isObject(body) ? body : undefined;
    },
    async tryPatch(kind, id, operations) {
      const { status, body } = await changeOf(kind, id, {
        method: "PATCH",
        body: { schemas: [PATCH_OP], Operations: operations },
        expect: [400, 404, 405, 413, 501],
      });
      if (status < 300) return "taken";
      if (status === 413) return "too large";
      if (status === 405 || status === 501) return "not offered";
      const { scimType, detail } = isObject(body) ? body : {};
      if (scimType === "tooMany") return "too large";
      if (scimType === "noTarget") return "no target";
      if (status === 404) {
        // Some say so of a member who is not there, too: the resource itself must not be taken for gone.
        await stillThere(kind, id);
        return "no target";
      }
      if (scimType === "invalidPath" || scimType === "invalidFilter") return "no such form";
      throw new Fault("rejected", `${system} answered 400: ${typeof detail === "string" ? detail.slice(0, 500) : "it gives no reason"}.`);
    },
    async put(kind, id, { resource, version }) {
      const { status } = await change(kind, {
        method: "PUT",
        path: pathOf(kind, id),
        body: resource,
        headers: version === undefined ? {} : { "if-match": version },
        mayBeText: true,
        expect: [...GONE, ...(version === undefined ? VERSION_DEMANDED : [412])],
      });
      if (GONE.includes(status)) {
        await stillThere(kind, id);
        throw unanswered("PUT", kind, id);
      }
      if (VERSION_DEMANDED.includes(status) && version === undefined) client.learned.versioned = true;
      return !VERSION_DEMANDED.includes(status);
    },
    async remove(kind, id) {
      const { status } = await changeOf(kind, id, { method: "DELETE", expect: [...GONE, ...NOT_OFFERED] });
      if (NOT_OFFERED.includes(status))
        throw new Fault(
          "rejected",
          `${system} answers ${status} to DELETE of the ${kind} ${id}: it does not offer that. Have whoever leaves deactivated there (leave: deactivate).`,
        );
      if (!GONE.includes(status)) return "removed";
      const there = await client.get(kind, id);
      if (!there) return "gone";
      // Some keep showing whom they removed, as somebody who is not active.
      if (String(there["active"]).toLowerCase() !== "false") throw unanswered("DELETE", kind, id);
      return "removed";
    },
    close: () => http.close(),
  };
  return client;
}

function pathOf(kind: Kind, id?: string): string {
  if (kind === "unit") throw new Fault("rejected", "A SCIM application has no units.");
  if (id !== undefined && !isUsableId(id)) throw unusable(id);
  return `/${kind === "user" ? "Users" : "Groups"}${id === undefined ? "" : `/${encodeURIComponent(id)}`}`;
}

/**
 * RFC 7644 tables 8 and 9, RFC 9865 section 3: a conflict of names is one whatever its status; any other 409 to a change tells that
 * somebody else was quicker, which passes: as a conflict of names whoever is to leave would stay in. A cursor may be too old.
 */
function faultOf({ status, body, method }: { status: number; body: unknown; method: HttpRequest["method"] }): FaultKind | undefined {
  const named = withKnownNames(body);
  const scimType = isObject(named) ? named["scimType"] : undefined;
  if (scimType === "uniqueness" && status >= 400 && status < 500) return "exists";
  if ((status === 409 || status === 412) && method !== "POST") return "transient";
  return scimType === "expiredCursor" ? "transient" : undefined;
}

function listPage(body: unknown): ListPage {
  if (!isObject(body))
    throw new Fault("misconfigured", "The SCIM application answered a listing with something that is no list response. Check the URL.");
  const { Resources: resources, totalResults, nextCursor } = body as Readonly<Record<string, unknown>>;
  return {
    resources: Array.isArray(resources) ? resources.filter(isObject).map(withTextId) : [],
    totalResults: wholeNumber(totalResults),
    nextCursor: typeof nextCursor === "string" && nextCursor !== "" ? nextCursor : undefined,
  };
}

/** A number, or one written as a text: some applications write all values so. */
function wholeNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** RFC 7643 section 3.1 has ids as texts; some applications show the numbers of their database. */
function withTextId(resource: AttributeObject): AttributeObject {
  const { id } = resource;
  return typeof id === "number" ? { ...resource, id: String(id) } : resource;
}

/** Throws `rejected` for what has no id, or one by which nobody could be asked for again. */
export function resourceOf(body: unknown): AttributeObject {
  const resource = isObject(body) ? withTextId(body) : {};
  const { id } = resource;
  if (isUsableId(id)) return resource;
  if (typeof id === "string" && id !== "") throw unusable(id);
  throw new Fault("rejected", "The SCIM application answered with a resource that has no id (RFC 7643 section 3.1).");
}

function unusable(id: string): Fault {
  return new Fault(
    "rejected",
    `The SCIM application gives the id ${JSON.stringify(id.slice(0, 60))}, which no URL can name, or no database keep: nothing can be changed under it.`,
  );
}

/** The version stands in the header, in the resource, or in both (RFC 7644 section 3.14). */
function withVersion(resource: AttributeObject, etag: string | string[] | undefined): AttributeObject {
  const { meta } = resource;
  if (typeof etag !== "string" || (isObject(meta) && typeof meta["version"] === "string")) return resource;
  return { ...resource, meta: { ...(isObject(meta) ? meta : {}), version: etag } };
}

/** The last part of a Location. */
function idIn(location: string | string[] | undefined): string | undefined {
  const last = typeof location === "string" ? location.split(/[?#]/)[0]?.replace(/\/+$/, "").split("/").at(-1) : undefined;
  if (!last) return undefined;
  try {
    return decodeURIComponent(last);
  } catch {
    // No id that anybody could have meant.
    return undefined;
  }
}

/** What a header can hold. */
const IN_HEADER = /^[\t\x20-\x7e\x80-\xff]+$/;

/** The version that a resource was read at; undefined where the application tells none, or one that it can't be told again. */
export function versionOf({ meta }: AttributeObject): string | undefined {
  const version = isObject(meta) ? meta["version"] : undefined;
  return typeof version === "string" && IN_HEADER.test(version) ? version : undefined;
}
