import { ROLE_SCHEMA } from "./organisation-schemas.ts";
import { readOnlyView } from "./read-only-view.ts";
import { isOpen, type View, type ViewOptions } from "./view.ts";

/** The roles there are, for every client: they tell nothing of anybody. */
export function rolesView({ parameters, connectionId, base }: ViewOptions): View {
  const door = `${parameters.add(base)}::text`;
  const connection = `${parameters.add(connectionId)}::integer`;
  const closure = `with recursive closure (role_id) as (select r.id union select i.parent_role_id from closure join role_parents i on i.role_id = closure.role_id and ${isOpen("i")})`;
  const permissions = `${closure}
    select jsonb_build_object('value', c.permission_key, 'display', nullif(min(k.description), ''), 'type', case when bool_or(c.role_id = r.id) then 'direct' else 'inherited' end) as element
    from closure join role_permissions c on c.role_id = closure.role_id and ${isOpen("c")} left join permissions k on k.key = c.permission_key
    group by c.permission_key order by c.permission_key`;
  const inherits = `select jsonb_build_object('value', parent.id, '$ref', ${door} || '/Roles/' || parent.id, 'display', parent.name) as element
    from role_parents i join roles parent on parent.id = i.parent_role_id and parent.deleted_at is null where i.role_id = r.id and ${isOpen("i")} order by parent.key`;
  return {
    ...readOnlyView({
      parameters,
      alias: "r",
      type: "Role",
      urn: ROLE_SCHEMA.urn,
      endpoint: `${door} || '/Roles'`,
      // What it inherits changes with the roles above it.
      version: `('W/"' || r.version || '.' || (${closure} select sum(v.version) from closure join roles v on v.id = closure.role_id) || '"')`,
      collections: new Map([
        ["permissions", permissions],
        ["inherits", inherits],
      ]),
    }),
    table: "roles r",
    joins: `cross join lateral (select jsonb_build_object('key', r.key, 'name', r.name, 'description', nullif(r.description, ''), 'set', r.set, 'predefined', r.predefined) as document) d`,
    visible: `${door} is not null and ${connection} is not null and r.deleted_at is null`,
  };
}
