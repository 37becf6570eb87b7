import { invalid, notFound } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { byKey, inOrder } from "./order.ts";
import { checkCustomer, type Request } from "./request.ts";
import { searchOf } from "./search.ts";
import { etagOf, type Organisation, type User } from "./state.ts";

export function listUsers(of: Organisation, request: Request): unknown {
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

export function userBy(of: Organisation, key: string): User {
  const user = of.users.get(key) ?? [...(key.includes("@") ? of.users.values() : [])].find((each) => isAddressOf(each, key));
  if (user === undefined) throw notFound("userKey");
  return user;
}

function isAddressOf(user: User, key: string): boolean {
  const aliases = Array.isArray(user["aliases"]) ? (user["aliases"] as string[]) : [];
  return [user.primaryEmail, ...aliases].some((address) => address.toLowerCase() === key.toLowerCase());
}

export function userBody(user: User, of: Organisation, custom: readonly string[] = []): Record<string, unknown> {
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

export function changeUser(of: Organisation, { body }: Request, [key = ""]: readonly string[]): unknown {
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

export function newUser(body: Readonly<Record<string, unknown>>): { email: string; name: User["name"] } {
  const { primaryEmail, name, password } = body as { primaryEmail?: unknown; name?: User["name"]; password?: unknown };
  if (typeof primaryEmail !== "string" || name === undefined || typeof password !== "string") throw invalid("primary_user_email");
  return { email: primaryEmail, name };
}

export function signOut(of: Organisation, _: Request, [key = ""]: readonly string[]): undefined {
  const { id } = userBy(of, key);
  of.signOuts.set(id, (of.signOuts.get(id) ?? 0) + 1);
}
