import type { OktaGroup, OktaUser } from "./org.ts";

export interface Presenting {
  /** The org's address, for links. */
  base: string;
  /** Credentials are left out, as the caller's okta-response asks. */
  lean: boolean;
}

/** A person as Okta answers; one that was asked for by id has more links than a listed one, which changes nothing here. */
export function userJson(user: OktaUser, { base, lean }: Presenting): object {
  const { transitioningToStatus, profile, ...rest } = user;
  return {
    ...rest,
    passwordChanged: user.activated,
    ...(transitioningToStatus === null ? {} : { transitioningToStatus }),
    type: { id: "oty00000000000000000" },
    profile,
    ...(lean ? {} : { credentials: { provider: { type: "OKTA", name: "OKTA" } } }),
    _links: { self: { href: `${base}/api/v1/users/${user.id}` } },
  };
}

/** The fields that `fields` asks for: `id,status,profile:(login,email)`; the id is always there. */
export function withFields(json: object, fields: string): object {
  const wanted = new Map<string, readonly string[] | undefined>();
  for (const [, name = "", , inner] of fields.matchAll(/([A-Za-z_]+)(:\(([^)]*)\))?/g))
    wanted.set(
      name,
      inner?.split(",").map((each) => each.trim()),
    );
  return Object.fromEntries(
    Object.entries(json).flatMap(([name, value]) => {
      if (name !== "id" && !wanted.has(name)) return [];
      const inner = wanted.get(name);
      if (!inner) return [[name, value]];
      return [[name, Object.fromEntries(Object.entries(value as object).filter(([key]) => inner.includes(key)))]];
    }),
  );
}

export function groupJson(group: OktaGroup, { base, stats }: { base: string; stats: boolean }): object {
  const { members, ...rest } = group;
  return {
    ...rest,
    objectClass: [group.type === "APP_GROUP" ? "okta:windows_security_principal" : "okta:user_group"],
    _links: { users: { href: `${base}/api/v1/groups/${group.id}/users` }, apps: { href: `${base}/api/v1/groups/${group.id}/apps` } },
    ...(stats
      ? { _embedded: { stats: { usersCount: members.size, appsCount: 0, groupPushMappingsCount: 0, hasAdminPrivlege: false } } }
      : {}),
  };
}
