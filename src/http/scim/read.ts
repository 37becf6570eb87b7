import type { Sql } from "../../db/database.ts";
import type { Call } from "./call.ts";
import { viewOf } from "./call-view.ts";
import type { JsonObject } from "./json.ts";
import { notNeeded, project, standing, type Projection } from "./projection.ts";
import type { ResourceType } from "./resource-type.ts";
import { isUuid, parameters, type View } from "./view.ts";

/** A resource as it goes out: JSON text, straight from the database where nothing has to be left out. */
export interface Found {
  text: string;
  version: string;
}

export interface FindOptions {
  type: ResourceType;
  call: Call;
  id: string;
  projection?: Projection | undefined;
}

/** One resource by id; undefined when there is none for this client. */
export async function findResource(sql: Sql, { type, call, id, projection }: FindOptions): Promise<Found | undefined> {
  if (!isUuid(id)) return undefined;
  const given = parameters();
  const view = viewOf(call, { type, parameters: given });
  const without = notNeeded(projection, view);
  const { rows } = await sql.query<Found>({
    // Prepared once for each connection: planning would cost more than the read. The name says all that the text depends on.
    name: ["scim-read", type.kind, call.visibility, ...partsOf(view, without)].join("-"),
    text: `select (${view.resource(without)})::text as text, ${view.version} as version
      from ${view.table} ${view.joins} where ${view.id} = ${given.add(id)}::uuid and ${view.visible}`,
    values: given.values,
  });
  const row = rows[0];
  return row && { ...row, text: projected(row.text, { type, projection }) };
}

/** Short names for what is left out, and for what is there only by request: PostgreSQL cuts names after 63 bytes. */
function partsOf({ onRequest }: View, without: ReadonlySet<string>): string[] {
  const extra = [...(onRequest ?? [])].flatMap(([path, name]) => (without.has(path) ? [] : [name]));
  return [...[...without].filter((path) => !onRequest?.has(path)), ...extra];
}

/** A resource's text with what was asked for; the text itself when that is everything. */
export function projected(text: string, { type, projection }: { type: ResourceType; projection: Projection | undefined }): string {
  const wanted = projection ?? standing(type.schema);
  return wanted ? JSON.stringify(project(JSON.parse(text) as JsonObject, { schema: type.schema, projection: wanted })) : text;
}
