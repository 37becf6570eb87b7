import type { HttpAnswer, HttpRequest } from "../kit/http.ts";
import type { ScimSettings } from "./config.ts";
import { isObject } from "./json.ts";

/** What the application can do (RFC 7643 section 5, RFC 9865 section 4), after the administrator's corrections. */
export interface Abilities {
  patch: boolean;
  groupPatch: boolean;
  filter: boolean;
  /** Versions are told and compared. */
  etag: boolean;
  paging: "index" | "cursor";
  /** Resources to ask for in one page. */
  pageSize: number;
}

/** Applications without a ServiceProviderConfig are taken at their word that they speak SCIM. */
export async function discoverAbilities(
  call: (request: HttpRequest) => Promise<HttpAnswer>,
  { serviceProvider, patch, groupPatch, paging, pageSize }: ScimSettings,
): Promise<Abilities> {
  const { status, body } = await call({ method: "GET", path: "/ServiceProviderConfig", expect: [400, 403, 404, 405, 501] });
  const config = status < 300 && isObject(body) ? body : {};
  const part = (name: string): Readonly<Record<string, unknown>> => (isObject(config[name]) ? config[name] : {});
  const said = (name: string, usual: boolean): boolean => {
    const { supported } = part(name);
    return typeof supported === "boolean" ? supported : usual;
  };
  const byPatch = patch === "auto" ? (serviceProvider.patch ?? said("patch", true)) : patch === "patch";
  return {
    patch: byPatch,
    groupPatch: groupPatch === "auto" ? byPatch : groupPatch === "patch",
    filter: serviceProvider.filter ?? said("filter", true),
    etag: serviceProvider.etag ?? said("etag", false),
    paging: paging === "auto" ? (part("pagination")["cursor"] === true ? "cursor" : "index") : paging,
    pageSize: smallest(pageSize, part("filter")["maxResults"], part("pagination")["maxPageSize"]),
  };
}

/** A limit of 0 means that nobody has thought about it. */
function smallest(wanted: number, ...limits: readonly unknown[]): number {
  return Math.min(wanted, ...limits.flatMap((limit) => (typeof limit === "number" && limit >= 1 ? [Math.floor(limit)] : [])));
}
