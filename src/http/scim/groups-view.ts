import { CORE_GROUP } from "../../directory/attributes.ts";
import type { ViewOptions } from "./users-view.ts";
import { isOpen, isoInstant, isUuid, literal, type View } from "./view.ts";

/**
 * Groups as one SCIM client sees them. Of a group that it wrote it reads back the members that it put there,
 * or it would take out again and again whom somebody else put in; of others, all.
 */
export function groupsView({ parameters, connectionId, base }: ViewOptions): View {
  const connection = `${parameters.add(connectionId)}::integer`;
  const door = `${parameters.add(base)}::text`;
  const location = `(${door} || '/Groups/' || g.id)`;
  const version = `('W/"' || g.version || '.' || coalesce(a.version, 0) || '"')`;
  const mine = (alias: string) => `(a.id is null or ${alias}.connection_id = ${connection})`;
  const members = `select jsonb_build_object('value', p.id, '$ref', ${door} || '/Users/' || p.id, 'display', coalesce(p.display_name, p.user_name::text), 'type', 'User') as element
      from people p where p.deleted_at is null and p.id in (select m.person_id from memberships m where m.group_id = g.id and ${isOpen("m")} and ${mine("m")})
    union all select jsonb_build_object('value', c.id, '$ref', ${door} || '/Groups/' || c.id, 'display', c.display_name, 'type', 'Group')
      from groups c where c.deleted_at is null and c.id in (select n.child_group_id from nestings n where n.parent_group_id = g.id and ${isOpen("n")} and ${mine("n")})`;
  const schemas = `jsonb_build_array(${literal(CORE_GROUP)})`;
  const indexed = (options: { group: string; account: string; exact: string }) =>
    `(g.id in (select q.id from groups q where ${options.group}
        union all select b.group_id from accounts b where b.connection_id = ${connection} and b.kind = 'group' and b.group_id is not null and ${options.account})
      and coalesce(${options.exact}, false))`;

  return {
    table: "groups g",
    id: "g.id",
    joins: `left join accounts a on a.connection_id = ${connection} and a.kind = 'group' and a.native_id = g.id::text
      cross join lateral (select case when a.id is not null then a.attributes
        else g.attributes || jsonb_strip_nulls(jsonb_build_object('displayName', g.display_name, 'externalId', g.external_id)) end - 'members' as document) d`,
    // The door is named so that a statement without references still has a use for its parameter.
    visible: `${door} is not null and g.deleted_at is null and not exists (select 1 from accounts left_behind
      where left_behind.connection_id = ${connection} and left_behind.kind = 'group' and left_behind.native_id = g.id::text and left_behind.gone_at is not null)`,
    order: "g.id",
    document: "d.document",
    version,
    columns: new Map([
      ["id", { sql: "g.id::text", type: "text" }],
      ["meta", { sql: "g.id", type: "text" }],
      ["meta.resourcetype", { sql: "'Group'::text", type: "text" }],
      ["meta.created", { sql: "g.created_at", type: "instant" }],
      ["meta.lastmodified", { sql: "g.modified_at", type: "instant" }],
      ["meta.location", { sql: location, type: "text" }],
      ["meta.version", { sql: version, type: "text" }],
    ]),
    collections: new Map([
      ["members", members],
      ["schemas", `select element from jsonb_array_elements(${schemas}) as s (element)`],
    ]),
    equals: new Map([
      ["id", (value) => (isUuid(value) ? `(g.id = ${parameters.add(value)}::uuid)` : "false")],
      [
        "displayname",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            group: `q.display_name = ${text}::citext and q.deleted_at is null`,
            account: `b.attributes ? 'displayName' and lower(b.attributes->>'displayName') = lower(${text})`,
            exact: `lower(nullif(d.document->>'displayName', '')) = lower(${text})`,
          });
        },
      ],
      [
        "externalid",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            group: `q.external_id = ${text}`,
            account: `b.attributes ? 'externalId' and b.attributes->>'externalId' = ${text}`,
            exact: `nullif(d.document->>'externalId', '') = ${text}`,
          });
        },
      ],
      [
        "members.value",
        (value) => {
          if (!isUuid(value)) return "false";
          const id = `${parameters.add(value)}::uuid`;
          return `(exists (select 1 from memberships m join people p on p.id = m.person_id and p.deleted_at is null where m.person_id = ${id} and m.group_id = g.id and ${isOpen("m")} and ${mine("m")})
          or exists (select 1 from nestings n join groups c on c.id = n.child_group_id and c.deleted_at is null where n.child_group_id = ${id} and n.parent_group_id = g.id and ${isOpen("n")} and ${mine("n")}))`;
        },
      ],
    ]),
    resource: (without) => `(d.document || jsonb_build_object('schemas', ${schemas}, 'id', g.id,
      'meta', jsonb_build_object('resourceType', 'Group', 'created', ${isoInstant("g.created_at")}, 'lastModified', ${isoInstant("g.modified_at")}, 'location', ${location}, 'version', ${version}))${
        without.has("members")
          ? ""
          : ` || coalesce((select jsonb_build_object('members', jsonb_agg(element)) from (${members}) held having count(*) > 0), '{}'::jsonb)`
      })`,
  };
}
