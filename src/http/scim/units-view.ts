import { UNIT_SCHEMA } from "./organisation-schemas.ts";
import { readOnlyView } from "./read-only-view.ts";
import { isOpen, type View, type ViewOptions } from "./view.ts";

/** The organisation's units. A client that sees only its own finds the units that it brought, and in them the people that it has an account for. */
export function unitsView({ parameters, connectionId, base, visibility }: ViewOptions): View {
  const connection = `${parameters.add(connectionId)}::integer`;
  const door = `${parameters.add(base)}::text`;
  const isOwn = visibility === "own";
  const isMine = `exists (select from accounts own where own.connection_id = ${connection} and own.kind = 'user' and own.person_id = p.id and own.gone_at is null)`;
  const members = `select jsonb_build_object('value', p.id, '$ref', ${door} || '/Users/' || p.id, 'display', coalesce(p.display_name, p.user_name::text), 'type', 'User') as element
    from people p where p.deleted_at is null and p.state <> 'deleted' ${isOwn ? `and ${isMine}` : ""}
      and p.id in (select b.person_id from person_units b where b.unit_id = u.id and ${isOpen("b")})`;
  // Whoever comes or goes leaves a new row, so that the highest one tells whether the members are the same.
  const version = `('W/"' || u.version || '.' || coalesce((select max(b.id) from person_units b where b.unit_id = u.id and b.recorded_to is null), 0) || '"')`;
  return {
    ...readOnlyView({
      parameters,
      alias: "u",
      type: "Unit",
      urn: UNIT_SCHEMA.urn,
      endpoint: `${door} || '/Units'`,
      version,
      collections: new Map([["members", members]]),
    }),
    onRequest: new Map([["members", "members"]]),
    table: "units u",
    joins: `left join units above on above.id = u.parent_id and above.deleted_at is null
      cross join lateral (select jsonb_build_object('name', u.name, 'code', u.code, 'type', u.type, 'parent',
        case when above.id is not null then jsonb_build_object('value', above.id, '$ref', ${door} || '/Units/' || above.id, 'display', above.name) end) as document) d`,
    // Both are named so that every statement has a use for its parameters.
    visible: `${door} is not null and ${connection} is not null and u.deleted_at is null${isOwn ? ` and u.origin_id = ${connection}` : ""}`,
  };
}
