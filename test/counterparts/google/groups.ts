import { GoogleError, notFound } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { byKey, inOrder } from "./order.ts";
import { checkCustomer, type Request } from "./request.ts";
import { searchOf } from "./search.ts";
import { etagOf, type Group, type Member, type Organisation } from "./state.ts";
import { userBy } from "./users.ts";

export function listGroups(of: Organisation, request: Request): unknown {
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

export function groupBy(of: Organisation, key: string): Group {
  const group = of.groups.get(key) ?? [...of.groups.values()].find(({ email }) => email === key.toLowerCase());
  if (group === undefined) throw notFound("groupKey");
  return group;
}

export function groupBody(of: Organisation, group: Group): Record<string, unknown> {
  const members = [...(of.members.get(group.id)?.values() ?? [])];
  const body = {
    kind: "admin#directory#group",
    ...group,
    directMembersCount: String(members.filter(({ type }) => type === "USER").length),
    adminCreated: true,
  };
  return { ...body, etag: etagOf(body) };
}

export function listMembers(of: Organisation, request: Request, [key = ""]: readonly string[]): unknown {
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

export function memberBy(of: Organisation, [groupKey = "", memberKey = ""]: readonly string[]): { group: Group; member: Member } {
  const group = groupBy(of, groupKey);
  const members = of.members.get(group.id);
  const member = members?.get(memberKey) ?? [...(members?.values() ?? [])].find((each) => addressOf(of, each) === memberKey);
  if (member === undefined) throw notFound("memberKey");
  return { group, member };
}

export function memberBody(of: Organisation, member: Member): Record<string, unknown> {
  const email = addressOf(of, member);
  const body = { kind: "admin#directory#member", ...member, ...(email === undefined ? {} : { email }), status: "ACTIVE" };
  return { ...body, etag: etagOf(body) };
}

function addressOf(of: Organisation, { id, email }: Member): string | undefined {
  return of.users.get(id)?.primaryEmail ?? of.groups.get(id)?.email ?? email;
}

export function addMember(of: Organisation, { body }: Request, [key = ""]: readonly string[]): unknown {
  const group = groupBy(of, key);
  const given = String(body["id"] ?? body["email"] ?? "");
  const id = of.groups.has(given) ? given : userBy(of, given).id;
  if (of.members.get(group.id)?.has(id)) throw new GoogleError(409, "duplicate", "Member already exists.");
  of.addMember(group.id, { id, role: typeof body["role"] === "string" ? body["role"] : "MEMBER" });
  return memberBody(of, memberBy(of, [group.id, id]).member);
}
