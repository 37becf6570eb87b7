import { stopChannel, watch } from "./channels.ts";
import { GoogleError } from "./errors.ts";
import { addMember, groupBody, groupBy, listGroups, listMembers, memberBody, memberBy } from "./groups.ts";
import type { Request } from "./request.ts";
import { etagOf, type Organisation } from "./state.ts";
import { listUnits, oneUnit } from "./units.ts";
import { changeUser, listUsers, newUser, signOut, userBody, userBy } from "./users.ts";

type Handler = (organisation: Organisation, request: Request, parts: readonly string[]) => unknown;

interface Route {
  method: string;
  path: RegExp;
  /** Any one of these is enough. */
  scopes: readonly string[];
  handle: Handler;
}

const USERS = /^\/admin\/directory\/v1\/users$/;
const USER = /^\/admin\/directory\/v1\/users\/([^/]+)$/;
const GROUPS = /^\/admin\/directory\/v1\/groups$/;
const GROUP = /^\/admin\/directory\/v1\/groups\/([^/]+)$/;
const MEMBERS = /^\/admin\/directory\/v1\/groups\/([^/]+)\/members$/;
const MEMBER = /^\/admin\/directory\/v1\/groups\/([^/]+)\/members\/([^/]+)$/;
const READ_MEMBERS = ["group", "group.member", "group.member.readonly", "group.readonly"];
const WRITE_MEMBERS = ["group", "group.member"];

const ROUTES: readonly Route[] = [
  { method: "GET", path: USERS, scopes: ["user", "user.readonly"], handle: listUsers },
  { method: "GET", path: USER, scopes: ["user", "user.readonly"], handle: (of, _, [key = ""]) => userBody(userBy(of, key), of) },
  { method: "PATCH", path: USER, scopes: ["user"], handle: changeUser },
  { method: "POST", path: USERS, scopes: ["user"], handle: (of, { body }) => userBody(of.addUser(newUser(body)), of) },
  {
    method: "DELETE",
    path: USER,
    scopes: ["user"],
    handle: (of, _, [key = ""]) => of.deleteUser(userBy(of, key).id),
  },
  { method: "POST", path: /^\/admin\/directory\/v1\/users\/([^/]+)\/signOut$/, scopes: ["user.security"], handle: signOut },
  {
    method: "GET",
    path: /^\/admin\/directory\/v1\/users\/([^/]+)\/tokens$/,
    scopes: ["user.security"],
    handle: (of, _, [key = ""]) => ({ kind: "admin#directory#tokenList", etag: etagOf(userBy(of, key).id), items: [] }),
  },
  { method: "POST", path: /^\/admin\/directory\/v1\/users\/watch$/, scopes: ["user", "user.readonly"], handle: watch },
  { method: "POST", path: /^\/admin\/directory_v1\/channels\/stop$/, scopes: ["user", "user.readonly"], handle: stopChannel },
  { method: "GET", path: GROUPS, scopes: ["group", "group.readonly"], handle: listGroups },
  { method: "GET", path: GROUP, scopes: ["group", "group.readonly"], handle: (of, _, [key = ""]) => groupBody(of, groupBy(of, key)) },
  { method: "GET", path: MEMBERS, scopes: READ_MEMBERS, handle: listMembers },
  { method: "GET", path: MEMBER, scopes: READ_MEMBERS, handle: (of, _, parts) => memberBody(of, memberBy(of, parts).member) },
  { method: "POST", path: MEMBERS, scopes: WRITE_MEMBERS, handle: addMember },
  {
    method: "DELETE",
    path: MEMBER,
    scopes: WRITE_MEMBERS,
    handle: (of, _, parts) => {
      const { group, member } = memberBy(of, parts);
      of.removeMember(group.id, member.id);
    },
  },
  {
    method: "GET",
    path: /^\/admin\/directory\/v1\/customer\/([^/]+)\/orgunits$/,
    scopes: ["orgunit", "orgunit.readonly"],
    handle: listUnits,
  },
  {
    method: "GET",
    path: /^\/admin\/directory\/v1\/customer\/([^/]+)\/orgunits\/(.+)$/,
    scopes: ["orgunit", "orgunit.readonly"],
    handle: oneUnit,
  },
];

/** The answer's body; undefined = 204. Throws GoogleError. */
export function answer(organisation: Organisation, request: Request): unknown {
  for (const { method, path, scopes, handle } of ROUTES) {
    const match = method === request.method ? path.exec(request.path) : null;
    if (match === null) continue;
    if (!scopes.some((scope) => request.scopes.includes(`https://www.googleapis.com/auth/admin.directory.${scope}`)))
      throw new GoogleError(403, "insufficientPermissions", "Request had insufficient authentication scopes.");
    return handle(organisation, request, match.slice(1).map(decodeURIComponent));
  }
  throw new GoogleError(404, "notFound", "Not Found");
}
