import { invalid, OktaError } from "./errors.ts";
import { GRAMMARS, parseFilter, type Condition, type Grammar } from "./filter.ts";
import { groupJson, userJson, withFields } from "./json.ts";
import type { Lifecycle, OktaGroup, OktaOrg, OktaUser, Profile } from "./org.ts";
import type { SignIn } from "./sign-in.ts";

export interface ApiRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
  /** The org's address as the caller knows it. */
  base: string;
  lean: boolean;
}

/** A body, and whether there is more behind it: the position of the next page. */
export interface ApiAnswer {
  status: number;
  body?: unknown;
  /** Set for listings; undefined = no more. */
  page?: { after: string | undefined };
}

interface Route {
  method: string;
  path: RegExp;
  scopes: readonly string[];
  answer(org: OktaOrg, request: ApiRequest, ids: readonly string[], signIn: SignIn): ApiAnswer;
}

const USERS = { read: ["okta.users.read"], manage: ["okta.users.manage"] };
const GROUPS = { read: ["okta.groups.read"], manage: ["okta.groups.manage"] };
const ID = "([^/]+)";
const at = (path: string) => new RegExp(`^/api/v1/${path}$`);

/** The part of Okta's management API that a directory sync needs. */
export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: at("users"),
    scopes: USERS.read,
    answer(org, request) {
      const condition = conditionOf(request.query, { filter: GRAMMARS.userFilter, search: GRAMMARS.userSearch });
      const fields = request.query.get("fields");
      return listed<OktaUser>(org.listed("users"), {
        request,
        most: 200,
        // The plain list leaves out who is deactivated; filter and search don't.
        meets: condition ?? ((user) => (user as OktaUser).status !== "DEPROVISIONED"),
        json: (user) => (fields === null ? userJson(user, request) : withFields(userJson(user, request), fields)),
      });
    },
  },
  {
    method: "POST",
    path: at("users"),
    scopes: USERS.manage,
    answer: (org, request) =>
      one(userJson(org.addUser(profileIn(request.body), { activate: request.query.get("activate") !== "false" }), request)),
  },
  {
    method: "GET",
    path: at(`users/${ID}`),
    scopes: USERS.read,
    answer(org, request, [id = ""], signIn) {
      const me = id === "me" ? (signIn.tokenOwner ?? org.users.keys().next().value ?? id) : id;
      return one(userJson(org.user(me), request));
    },
  },
  ...(["POST", "PUT"] as const).map((method): Route => ({
    method,
    path: at(`users/${ID}`),
    scopes: USERS.manage,
    answer: (org, request, [id = ""]) => one(userJson(org.updateUser(id, profileIn(request.body), { replace: method === "PUT" }), request)),
  })),
  { method: "DELETE", path: at(`users/${ID}`), scopes: USERS.manage, answer: (org, _, [id = ""]) => nothing(org.removeUser(id)) },
  {
    method: "POST",
    path: at(`users/${ID}/lifecycle/(activate|deactivate|suspend|unsuspend|unlock)`),
    scopes: USERS.manage,
    answer(org, _, [id = "", operation = ""]) {
      org.lifecycle(id, operation as Lifecycle);
      return { status: 200, body: {} };
    },
  },
  {
    method: "DELETE",
    path: at(`users/${ID}/sessions`),
    scopes: USERS.manage,
    answer: (org, { query }, [id = ""]) => nothing(org.endSessions(id, { oauthTokens: query.get("oauthTokens") === "true" })),
  },
  {
    method: "GET",
    path: at(`users/${ID}/groups`),
    scopes: [...USERS.read, ...GROUPS.read],
    answer(org, request, [id = ""]) {
      const user = org.user(id);
      const groups = [...org.groups.values()].filter(({ members }) => members.has(user.id));
      return listed(groups, { request, most: 200, json: (group) => groupJson(group, { base: request.base, stats: false }) });
    },
  },
  {
    method: "GET",
    path: at("groups"),
    scopes: GROUPS.read,
    answer: (org, request) =>
      listed<OktaGroup>(org.listed("groups"), {
        request,
        most: 10_000,
        meets: conditionOf(request.query, { filter: GRAMMARS.groupFilter, search: GRAMMARS.groupSearch }) ?? (() => true),
        json: (group) => groupJson(group, { base: request.base, stats: request.query.get("expand") === "stats" }),
      }),
  },
  {
    method: "POST",
    path: at("groups"),
    scopes: GROUPS.manage,
    answer: (org, { body, base }) => one(groupJson(org.addGroup(profileIn(body)), { base, stats: false })),
  },
  {
    method: "GET",
    path: at(`groups/${ID}`),
    scopes: GROUPS.read,
    answer: (org, { base }, [id = ""]) => one(groupJson(org.group(id), { base, stats: false })),
  },
  {
    method: "PUT",
    path: at(`groups/${ID}`),
    scopes: GROUPS.manage,
    answer: (org, { body, base }, [id = ""]) => one(groupJson(org.updateGroup(id, profileIn(body)), { base, stats: false })),
  },
  { method: "DELETE", path: at(`groups/${ID}`), scopes: GROUPS.manage, answer: (org, _, [id = ""]) => nothing(org.removeGroup(id)) },
  {
    method: "GET",
    path: at(`groups/${ID}/users`),
    scopes: GROUPS.read,
    answer(org, request, [id = ""]) {
      const members = [...org.group(id).members].sort().flatMap((member) => org.users.get(member) ?? []);
      return listed(members, { request, most: 1000, json: (user) => userJson(user, request) });
    },
  },
  {
    method: "PUT",
    path: at(`groups/${ID}/users/${ID}`),
    scopes: GROUPS.manage,
    answer: (org, _, [id = "", member = ""]) => nothing(managed(org, id) && org.addMember(id, member)),
  },
  {
    method: "DELETE",
    path: at(`groups/${ID}/users/${ID}`),
    scopes: GROUPS.manage,
    answer: (org, _, [id = "", member = ""]) => nothing(managed(org, id) && org.removeMember(id, member)),
  },
];

function one(body: object): ApiAnswer {
  return { status: 200, body };
}

function nothing(_done: unknown): ApiAnswer {
  return { status: 204 };
}

function managed(org: OktaOrg, id: string): boolean {
  if (org.group(id).type === "OKTA_GROUP") return true;
  throw new OktaError(501, "E0000060", "Unsupported operation.");
}

function conditionOf(query: URLSearchParams, grammars: { filter: Grammar; search: Grammar }): Condition | undefined {
  const [filter, search] = [query.get("filter"), query.get("search")];
  if (search !== null) return parseFilter(search, grammars.search);
  return filter === null ? undefined : parseFilter(filter, grammars.filter);
}

interface ListOptions<T> {
  request: ApiRequest;
  most: number;
  meets?: (each: T & object) => boolean;
  json: (each: T) => object;
}

/** In the order of ids; `after` is the last one shown, which a caller must not know. */
function listed<T extends { id: string }>(all: Iterable<T>, { request, most, meets = () => true, json }: ListOptions<T>): ApiAnswer {
  const given = Number(request.query.get("limit") ?? most);
  if (!Number.isInteger(given) || given < 1) throw invalid("limit", "limit: must be a positive integer");
  const limit = Math.min(given, most);
  const after = positionIn(request.query.get("after"));
  const page: T[] = [];
  for (const each of all) {
    if (each.id <= after || !meets(each)) continue;
    if (page.length === limit) return { status: 200, body: page.map(json), page: { after: positionFor(page.at(-1)?.id ?? "") } };
    page.push(each);
  }
  return { status: 200, body: page.map(json), page: { after: undefined } };
}

const positionFor = (id: string) => Buffer.from(`at:${id}`).toString("base64url");

function positionIn(after: string | null): string {
  if (after === null) return "";
  const text = Buffer.from(after, "base64url").toString("utf8");
  if (!text.startsWith("at:")) throw invalid("after", "after: Invalid cursor");
  return text.slice(3);
}

function profileIn(body: unknown): Profile {
  const profile = typeof body === "object" && body !== null ? (body as { profile?: unknown }).profile : undefined;
  if (typeof profile !== "object" || profile === null) throw new OktaError(400, "E0000003", "The request body was not well-formed.");
  return profile as Profile;
}
