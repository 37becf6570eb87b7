import { GoogleError, invalid, notFound } from "./errors.ts";
import type { Called, FaultName } from "./faults.ts";
import { pageOf } from "./listing.ts";
import { searchOf } from "./search.ts";
import { etagOf, type Group, type Member, type Organisation, type Unit, type User } from "./state.ts";

export interface Request extends Called {
  body: Readonly<Record<string, unknown>>;
  scopes: readonly string[];
  fault: FaultName | undefined;
  serial: number;
}

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

const sorted = new WeakMap<Organisation, Map<string, { version: number; all: readonly unknown[] }>>();

/** Sorting a hundred thousand users for each page would measure the fake and not what reads it. */
function inOrder<T>(of: Organisation, name: string, make: () => T[]): readonly T[] {
  const kept = sorted.get(of) ?? new Map<string, { version: number; all: readonly unknown[] }>();
  sorted.set(of, kept);
  const known = kept.get(name);
  if (known?.version === of.version) return known.all as readonly T[];
  const all = make();
  kept.set(name, { version: of.version, all });
  return all;
}

function byKey<T>(keyOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1);
}

function checkCustomer(of: Organisation, query: URLSearchParams): string | undefined {
  const customer = query.get("customer");
  const domain = query.get("domain") ?? undefined;
  if (customer === null && domain === undefined) throw new GoogleError(400, "required", "Missing required field: domain or customer");
  if (customer !== null && customer !== "my_customer" && customer !== of.customerId)
    throw new GoogleError(400, "badRequest", "Bad Request");
  return domain;
}

function listUsers(of: Organisation, request: Request): unknown {
  const { query } = request;
  const domain = checkCustomer(of, query);
  const deleted = query.get("showDeleted") === "true";
  const text = query.get("query");
  const keyOf = (user: User) => `${user.primaryEmail} ${user.id}`;
  const all = inOrder(of, `users ${deleted} ${domain} ${text}`, () => {
    const matches = searchOf(deleted ? null : text, userValue);
    const users = [...(deleted ? of.deleted : of.users).values()];
    return users.filter((user) => (domain === undefined || user.primaryEmail.endsWith(`@${domain}`)) && matches(user)).sort(byKey(keyOf));
  });
  const page = pageOf({
    ...request,
    all,
    keyOf,
    listing: `users ${deleted} ${domain} ${text}`,
    defaultSize: 100,
    largestSize: 500,
    now: of.now(),
  });
  const custom = query.get("projection") === "custom" ? (query.get("customFieldMask") ?? "").split(",") : [];
  const body = page.items.map((user) => userBody(user, of, custom));
  return {
    kind: "admin#directory#users",
    etag: etagOf(of.version),
    ...(body.length > 0 ? { users: body } : {}),
    ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
  };
}

function userValue(user: User, field: string): unknown {
  const values: Readonly<Record<string, unknown>> = {
    email: user.primaryEmail,
    orgUnitPath: user.orgUnitPath,
    isSuspended: user.suspended,
    isAdmin: user.isAdmin,
    givenName: user.name.givenName,
    familyName: user.name.familyName,
  };
  return values[field];
}

function userBy(of: Organisation, key: string): User {
  const user = of.users.get(key) ?? [...(key.includes("@") ? of.users.values() : [])].find((each) => isAddressOf(each, key));
  if (user === undefined) throw notFound("userKey");
  return user;
}

function isAddressOf(user: User, key: string): boolean {
  const aliases = Array.isArray(user["aliases"]) ? (user["aliases"] as string[]) : [];
  return [user.primaryEmail, ...aliases].some((address) => address.toLowerCase() === key.toLowerCase());
}

function userBody(user: User, of: Organisation, custom: readonly string[] = []): Record<string, unknown> {
  const { customSchemas, suspensionReason, ...rest } = user;
  const schemas = Object.entries((customSchemas as Record<string, unknown> | undefined) ?? {}).filter(([name]) => custom.includes(name));
  const body = {
    kind: "admin#directory#user",
    customerId: of.customerId,
    ...rest,
    name: { ...user.name, fullName: `${user.name.givenName} ${user.name.familyName}` },
    emails: [{ address: user.primaryEmail, primary: true }],
    ...(user.suspended ? { suspensionReason: suspensionReason ?? "ADMIN" } : {}),
    ...(schemas.length > 0 ? { customSchemas: Object.fromEntries(schemas) } : {}),
  };
  return { ...body, etag: etagOf(body) };
}

function changeUser(of: Organisation, { body }: Request, [key = ""]: readonly string[]): unknown {
  const user = userBy(of, key);
  const { suspended, orgUnitPath, name, primaryEmail, ...others } = body;
  const change: Partial<User> = { ...others };
  if (typeof suspended === "boolean") change.suspended = suspended;
  if (typeof primaryEmail === "string") change.primaryEmail = primaryEmail;
  if (typeof name === "object" && name !== null) change.name = { ...user.name, ...name };
  if (typeof orgUnitPath === "string") {
    if (!of.units.has(orgUnitPath)) throw invalid("INVALID_OU_ID");
    change.orgUnitPath = orgUnitPath;
  }
  return userBody(of.changeUser(user.id, change), of);
}

function newUser(body: Readonly<Record<string, unknown>>): { email: string; name: User["name"] } {
  const { primaryEmail, name, password } = body as { primaryEmail?: unknown; name?: User["name"]; password?: unknown };
  if (typeof primaryEmail !== "string" || name === undefined || typeof password !== "string") throw invalid("primary_user_email");
  return { email: primaryEmail, name };
}

function signOut(of: Organisation, _: Request, [key = ""]: readonly string[]): undefined {
  const { id } = userBy(of, key);
  of.signOuts.set(id, (of.signOuts.get(id) ?? 0) + 1);
}

function listGroups(of: Organisation, request: Request): unknown {
  const domain = checkCustomer(of, request.query);
  const text = request.query.get("query");
  const keyOf = (group: Group) => `${group.email} ${group.id}`;
  const all = inOrder(of, `groups ${domain} ${text}`, () => {
    const matches = searchOf(text, (group: Group, field) => ({ email: group.email, name: group.name })[field]);
    return [...of.groups.values()]
      .filter((group) => (domain === undefined || group.email.endsWith(`@${domain}`)) && matches(group))
      .sort(byKey(keyOf));
  });
  const page = pageOf({ ...request, all, keyOf, listing: `groups ${domain} ${text}`, defaultSize: 200, largestSize: 200, now: of.now() });
  return {
    kind: "admin#directory#groups",
    etag: etagOf(of.version),
    ...(page.items.length > 0 ? { groups: page.items.map((group) => groupBody(of, group)) } : {}),
    ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
  };
}

function groupBy(of: Organisation, key: string): Group {
  const group = of.groups.get(key) ?? [...of.groups.values()].find(({ email }) => email === key.toLowerCase());
  if (group === undefined) throw notFound("groupKey");
  return group;
}

function groupBody(of: Organisation, group: Group): Record<string, unknown> {
  const members = [...(of.members.get(group.id)?.values() ?? [])];
  const body = {
    kind: "admin#directory#group",
    ...group,
    directMembersCount: String(members.filter(({ type }) => type === "USER").length),
    adminCreated: true,
  };
  return { ...body, etag: etagOf(body) };
}

function listMembers(of: Organisation, request: Request, [key = ""]: readonly string[]): unknown {
  const { id } = groupBy(of, key);
  const keyOf = (member: Member) => member.id;
  const all = inOrder(of, `members ${id}`, () => [...(of.members.get(id)?.values() ?? [])].sort(byKey(keyOf)));
  const page = pageOf({ ...request, all, keyOf, listing: `members ${id}`, defaultSize: 200, largestSize: 200, now: of.now() });
  return {
    kind: "admin#directory#members",
    etag: etagOf([of.version, id]),
    ...(page.items.length > 0 ? { members: page.items.map((member) => memberBody(of, member)) } : {}),
    ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
  };
}

function memberBy(of: Organisation, [groupKey = "", memberKey = ""]: readonly string[]): { group: Group; member: Member } {
  const group = groupBy(of, groupKey);
  const members = of.members.get(group.id);
  const member = members?.get(memberKey) ?? [...(members?.values() ?? [])].find((each) => addressOf(of, each) === memberKey);
  if (member === undefined) throw notFound("memberKey");
  return { group, member };
}

function memberBody(of: Organisation, member: Member): Record<string, unknown> {
  const email = addressOf(of, member);
  const body = { kind: "admin#directory#member", ...member, ...(email === undefined ? {} : { email }), status: "ACTIVE" };
  return { ...body, etag: etagOf(body) };
}

function addressOf(of: Organisation, { id, email }: Member): string | undefined {
  return of.users.get(id)?.primaryEmail ?? of.groups.get(id)?.email ?? email;
}

function addMember(of: Organisation, { body }: Request, [key = ""]: readonly string[]): unknown {
  const group = groupBy(of, key);
  const given = String(body["id"] ?? body["email"] ?? "");
  const id = of.groups.has(given) ? given : userBy(of, given).id;
  if (of.members.get(group.id)?.has(id)) throw new GoogleError(409, "duplicate", "Member already exists.");
  of.addMember(group.id, { id, role: typeof body["role"] === "string" ? body["role"] : "MEMBER" });
  return memberBody(of, memberBy(of, [group.id, id]).member);
}

function listUnits(of: Organisation, { query }: Request, [customer = ""]: readonly string[]): unknown {
  if (customer !== "my_customer" && customer !== of.customerId) throw new GoogleError(400, "badRequest", "Bad Request");
  const type = query.get("type") ?? "children";
  const under = query.get("orgUnitPath") || "/";
  const units = [...of.units.values()].filter(({ orgUnitPath, parentOrgUnitPath }) => {
    if (orgUnitPath === under) return type === "allIncludingParent";
    return type === "children" ? parentOrgUnitPath === under : orgUnitPath.startsWith(under === "/" ? "/" : `${under}/`);
  });
  return {
    kind: "admin#directory#orgUnits",
    etag: etagOf(of.version),
    ...(units.length > 0 ? { organizationUnits: units.map(unitBody) } : {}),
  };
}

function oneUnit(of: Organisation, _: Request, [, key = ""]: readonly string[]): unknown {
  const unit = [...of.units.values()].find(({ orgUnitId, orgUnitPath }) => orgUnitId === key || orgUnitPath === `/${key}`);
  if (unit === undefined) throw new GoogleError(404, "notFound", "Org unit not found");
  return unitBody(unit);
}

function unitBody(unit: Unit): Record<string, unknown> {
  const body = { kind: "admin#directory#orgUnit", ...unit };
  return { ...body, etag: etagOf(body) };
}

const DEFAULT_SECONDS = 7200;
const LONGEST_SECONDS = 172_800;

function watch(of: Organisation, { query, body }: Request): unknown {
  checkCustomer(of, query);
  const { id, type, address, token, params } = body as {
    id?: string;
    type?: string;
    address?: string;
    token?: string;
    params?: { ttl?: string };
  };
  if (id === undefined || type !== "web_hook" || address === undefined) throw new GoogleError(400, "required", "Required");
  if (!address.startsWith("https://")) throw new GoogleError(400, "push.webhookUrlNotHttps", "WebHook callback must be HTTPS");
  if (of.channels.has(id)) throw new GoogleError(400, "channelIdNotUnique", `Channel id ${id} not unique`);
  const seconds = Math.min(Number(params?.ttl ?? DEFAULT_SECONDS), LONGEST_SECONDS);
  const expiration = of.now().getTime() + seconds * 1000;
  const event = query.get("event") ?? "";
  of.channels.set(id, { id, resourceId: `resource-${event}`, event, address, token: token ?? "", expiration });
  return {
    kind: "api#channel",
    id,
    resourceId: `resource-${event}`,
    resourceUri: `https://admin.googleapis.com/admin/directory/v1/users?event=${event}`,
    token,
    expiration: String(expiration),
  };
}

function stopChannel(of: Organisation, { body }: Request): undefined {
  const channel = of.channels.get(String(body["id"]));
  if (channel === undefined || channel.resourceId !== body["resourceId"])
    throw new GoogleError(404, "notFound", `Channel '${String(body["id"])}' not found for project`);
  of.channels.delete(channel.id);
}
