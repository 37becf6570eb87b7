import { heldRolesSql } from "../../access/effective-roles.ts";
import { ACCESS_USER } from "../../directory/attributes.ts";
import { isOpen, isoInstant, literal } from "./view.ts";

const PATH = ACCESS_USER.toLowerCase();
const ROLES = `${PATH}:roles`;
const ENTITLEMENTS = `${PATH}:entitlements`;

/** Part of the users' view: what people may do, computed when a client asks for it by name. */
export interface UsersAccess {
  /** Queries of `element`, by path. */
  collections: readonly (readonly [string, string])[];
  /** The same paths, with a short name each. */
  onRequest: ReadonlyMap<string, string>;
  /** Whether anything of it is asked for. */
  isAsked(without: ReadonlySet<string>): boolean;
  /** SQL of the extension's member in the resource's text. */
  text(without: ReadonlySet<string>): string;
}

/** `door` is SQL of `https://host/scim/v2`; the person is `p`. */
export function usersAccess(door: string): UsersAccess {
  const held = heldRolesSql({ person: "p.id", at: "now()" });
  const unit = "coalesce(u.code, u.name)::text";
  const roles = `select jsonb_strip_nulls(jsonb_build_object('value', r.key, 'display', r.name, 'unit', ${unit}, 'type', h.via, '$ref', ${door} || '/Roles/' || r.id,
      'until', ${isoInstant("h.ends_at")})) as element
    from (${held}) h join roles r on r.id = h.role_id and r.deleted_at is null join units u on u.id = h.unit_id and u.deleted_at is null
    order by r.key, ${unit}`;
  const entitlements = `select distinct jsonb_strip_nulls(jsonb_build_object('value', c.permission_key, 'display', nullif(k.description, ''), 'unit', ${unit})) as element
    from (${held}) h join roles r on r.id = h.role_id and r.deleted_at is null join units u on u.id = h.unit_id and u.deleted_at is null
    cross join lateral (with recursive closure (role_id) as (select h.role_id union select i.parent_role_id from closure join role_parents i on i.role_id = closure.role_id and ${isOpen("i")}) select role_id from closure) closure
    join role_permissions c on c.role_id = closure.role_id and ${isOpen("c")} left join permissions k on k.key = c.permission_key order by 1`;
  const queries: Readonly<Record<string, string>> = { [ROLES]: roles, [ENTITLEMENTS]: entitlements };
  const asked = (without: ReadonlySet<string>) => Object.entries(queries).filter(([path]) => !without.has(path));
  return {
    collections: Object.entries(queries),
    onRequest: new Map([
      [ROLES, "access-r"],
      [ENTITLEMENTS, "access-e"],
    ]),
    isAsked: (without) => asked(without).length > 0,
    text(without) {
      const members = asked(without).map(
        ([path, query]) => `${literal(path.slice(PATH.length + 1))}, (select jsonb_agg(found.element) from (${query}) found)`,
      );
      return `concat(${literal(`,"${ACCESS_USER}":`)}, jsonb_strip_nulls(jsonb_build_object(${members.join(", ")}))::text)`;
    },
  };
}
