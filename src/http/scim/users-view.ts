import { CORE_USER, CUSTOM_USER, ENTERPRISE_USER } from "../../directory/attributes.ts";
import { isOpen, isoInstant, isUuid, literal, type Parameters, type View } from "./view.ts";

export interface ViewOptions {
  parameters: Parameters;
  /** The client's connection: it reads back what it wrote. */
  connectionId: number;
  /** Where this door stands, for references: `https://host/scim/v2`. */
  base: string;
}

const ENTERPRISE = literal(ENTERPRISE_USER);
const CUSTOM = literal(CUSTOM_USER);

/**
 * People as one SCIM client sees them: its own account's attributes where it wrote one, else the merged person;
 * active, groups and ids are ours. Somebody whom this client deleted is gone for it, though others still hold them.
 */
export function usersView({ parameters, connectionId, base }: ViewOptions): View {
  const connection = `${parameters.add(connectionId)}::integer`;
  const door = `${parameters.add(base)}::text`;
  const location = `(${door} || '/Users/' || p.id)`;
  const version = `('W/"' || p.version || '.' || coalesce(a.version, 0) || '"')`;
  const groups = `select jsonb_build_object('value', g.id, '$ref', ${door} || '/Groups/' || g.id, 'display', g.display_name, 'type', 'direct') as element
    from groups g where g.deleted_at is null and g.id in (select m.group_id from memberships m where m.person_id = p.id and ${isOpen("m")})`;
  const schemas = `case when d.document ?| array[${ENTERPRISE}, ${CUSTOM}] then jsonb_build_array(${literal(CORE_USER)})
      || (select jsonb_agg(urn) from unnest(array[${ENTERPRISE}, ${CUSTOM}]) urn where d.document ? urn) else jsonb_build_array(${literal(CORE_USER)}) end`;

  /** Through an index to the few who may be meant, then exactly as the document says. */
  const indexed = (options: { person: string; account: string; exact: string }) =>
    `(p.id in (select q.id from people q where ${options.person}
        union all select b.person_id from accounts b where b.connection_id = ${connection} and b.kind = 'user' and b.person_id is not null and ${options.account})
      and coalesce(${options.exact}, false))`;

  return {
    table: "people p",
    id: "p.id",
    joins: `left join accounts a on a.connection_id = ${connection} and a.kind = 'user' and a.native_id = p.id::text
      cross join lateral (select case when a.id is not null then a.attributes when p.manager_id is null then p.attributes
        else p.attributes || jsonb_build_object(${ENTERPRISE}, coalesce(p.attributes->${ENTERPRISE}, '{}'::jsonb) || jsonb_build_object('manager', jsonb_build_object('value', p.manager_id)))
        end as document) d`,
    // The door is named so that a statement without references still has a use for its parameter.
    visible: `${door} is not null and p.deleted_at is null and p.state <> 'deleted' and not exists (select 1 from accounts left_behind
      where left_behind.connection_id = ${connection} and left_behind.kind = 'user' and left_behind.native_id = p.id::text and left_behind.gone_at is not null)`,
    order: "p.id",
    document: "d.document",
    version,
    columns: new Map([
      ["id", { sql: "p.id::text", type: "text" }],
      ["active", { sql: "p.active", type: "boolean" }],
      ["meta", { sql: "p.id", type: "text" }],
      ["meta.resourcetype", { sql: "'User'::text", type: "text" }],
      ["meta.created", { sql: "p.created_at", type: "instant" }],
      ["meta.lastmodified", { sql: "p.modified_at", type: "instant" }],
      ["meta.location", { sql: location, type: "text" }],
      ["meta.version", { sql: version, type: "text" }],
    ]),
    collections: new Map([
      ["groups", groups],
      ["schemas", `select element from jsonb_array_elements(${schemas}) as s (element)`],
    ]),
    equals: new Map([
      ["id", (value) => (isUuid(value) ? `(p.id = ${parameters.add(value)}::uuid)` : "false")],
      [
        "username",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            person: `q.user_name = ${text}::citext and q.state <> 'deleted'`,
            account: `b.attributes ? 'userName' and lower(b.attributes->>'userName') = lower(${text})`,
            exact: `lower(nullif(d.document->>'userName', '')) = lower(${text})`,
          });
        },
      ],
      [
        "externalid",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          return indexed({
            person: `q.external_id = ${text}`,
            account: `b.attributes ? 'externalId' and b.attributes->>'externalId' = ${text}`,
            exact: `nullif(d.document->>'externalId', '') = ${text}`,
          });
        },
      ],
      [
        "emails.value",
        (value) => {
          const text = `${parameters.add(value)}::text`;
          const holds = (alias: string) =>
            `lower(jsonb_path_query_array(${alias}.attributes, '$.emails[*].value')::text)::jsonb ? lower(${text})`;
          return indexed({
            person: `${holds("q")} and q.deleted_at is null`,
            account: `b.attributes ? 'userName' and ${holds("b")}`,
            exact: `${text} <> '' and lower(jsonb_path_query_array(d.document, '$.emails[*].value')::text)::jsonb ? lower(${text})`,
          });
        },
      ],
      [
        "groups.value",
        (value) =>
          isUuid(value)
            ? `(p.id in (select m.person_id from memberships m join groups g on g.id = m.group_id and g.deleted_at is null where m.group_id = ${parameters.add(value)}::uuid and ${isOpen("m")}))`
            : "false",
      ],
    ]),
    resource: (without) => `(d.document || jsonb_build_object('schemas', ${schemas}, 'id', p.id, 'active', p.active,
      'meta', jsonb_build_object('resourceType', 'User', 'created', ${isoInstant("p.created_at")}, 'lastModified', ${isoInstant("p.modified_at")}, 'location', ${location}, 'version', ${version}))${
        without.has("groups")
          ? ""
          : ` || coalesce((select jsonb_build_object('groups', jsonb_agg(element order by element->>'display', element->>'value')) from (${groups}) held having count(*) > 0), '{}'::jsonb)`
      })`,
  };
}
