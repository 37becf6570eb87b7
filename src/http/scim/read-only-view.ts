import { isoInstant, isUuid, literal, type Column, type Parameters, type View } from "./view.ts";

export interface ReadOnlyResource {
  parameters: Parameters;
  /** The table's alias; its columns are id, created_at, modified_at. */
  alias: string;
  type: "Unit" | "Role";
  urn: string;
  /** SQL of `https://host/scim/v2/Units`. */
  endpoint: string;
  /** SQL of the weak entity tag. */
  version: string;
  collections: ReadonlyMap<string, string>;
}

/** What the views of resources that clients only read have in common: meta, schemas, and the whole put together as jsonb. */
export function readOnlyView({
  parameters,
  alias,
  type,
  urn,
  endpoint,
  version,
  collections,
}: ReadOnlyResource): Pick<View, "id" | "document" | "version" | "columns" | "collections" | "equals" | "resource"> {
  const location = `(${endpoint} || '/' || ${alias}.id)`;
  const columns: [string, Column][] = [
    ["id", { sql: `${alias}.id::text`, type: "text" }],
    ["meta", { sql: `${alias}.id`, type: "text" }],
    ["meta.resourcetype", { sql: `${literal(type)}::text`, type: "text" }],
    ["meta.created", { sql: `${alias}.created_at`, type: "instant" }],
    ["meta.lastmodified", { sql: `${alias}.modified_at`, type: "instant" }],
    ["meta.location", { sql: location, type: "text" }],
    ["meta.version", { sql: version, type: "text" }],
  ];
  const lists = (without: ReadonlySet<string>) =>
    [...collections]
      .filter(([name]) => !without.has(name))
      .map(([name, query]) => `${literal(name)}, (select jsonb_agg(held.element) from (${query}) held)`);
  return {
    id: `${alias}.id`,
    document: "d.document",
    version,
    columns: new Map(columns),
    collections: new Map([...collections, ["schemas", `select ${literal(JSON.stringify(urn))}::jsonb as element`]]),
    equals: new Map([["id", (value) => (isUuid(value) ? `(${alias}.id = ${parameters.add(value)}::uuid)` : "false")]]),
    resource: (without) => `(jsonb_build_object('schemas', jsonb_build_array(${literal(urn)}), 'id', ${alias}.id,
      'meta', jsonb_build_object('resourceType', ${literal(type)}, 'created', ${isoInstant(`${alias}.created_at`)}, 'lastModified', ${isoInstant(`${alias}.modified_at`)}, 'location', ${location}, 'version', ${version}))
      || jsonb_strip_nulls(d.document || jsonb_build_object(${lists(without).join(", ")})))`,
  };
}
