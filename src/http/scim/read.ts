import { createHash } from "node:crypto";
import type { Database, Sql } from "../../db/database.ts";
import type { Call } from "./call.ts";
import { filterSql } from "./filter/sql.ts";
import type { JsonObject } from "./json.ts";
import type { ListRequest } from "./list-request.ts";
import { notNeeded, project, type Projection } from "./projection.ts";
import type { ResourceType } from "./resource-type.ts";
import { sortSql } from "./sort.ts";
import { isUuid, parameters, type Parameters, type View } from "./view.ts";

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
  const view = viewFor(call, { type, given });
  const text = `select ${view.resource(notNeeded(projection, view.collections.keys()))}::text as text, ${view.version} as version
     from ${view.table} ${view.joins} where ${view.id} = ${given.add(id)}::uuid and ${view.visible}`;
  // Prepared once for each connection: planning would cost more than the read.
  const { rows } = await sql.query<Found>({
    name: `scim-${createHash("sha256").update(text).digest("hex").slice(0, 32)}`,
    text,
    values: given.values,
  });
  const row = rows[0];
  return row && { ...row, text: projected(row.text, { type, projection }) };
}

/** RFC 7644 section 3.4.2. */
export const LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/** Longest that one list may keep the database busy. */
const LONGEST_MS = 5000;

/** A page of resources as the JSON text of a ListResponse: a count and a page, both of one moment. Throws what PostgreSQL throws when it takes too long. */
export async function listResources(
  db: Database,
  { type, call, request }: { type: ResourceType; call: Call; request: ListRequest },
): Promise<string> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(`begin isolation level repeatable read read only; set local statement_timeout = ${LONGEST_MS}`);
    const totalResults = await countOf(client, { type, call, request });
    const wanted = request.count > 0 && request.startIndex <= totalResults;
    const resources = wanted ? await pageOf(client, { type, call, request }) : [];
    return `{"schemas":["${LIST_RESPONSE}"],"totalResults":${totalResults},"startIndex":${request.startIndex},"itemsPerPage":${resources.length},"Resources":[${resources.join(",")}]}`;
  } finally {
    await client.query("rollback").catch((error: Error) => {
      // The server is gone, and with it the transaction: this client must not go back into the pool.
      broken = error;
    });
    client.release(broken);
  }
}

interface ListOptions {
  type: ResourceType;
  call: Call;
  request: ListRequest;
}

async function countOf(sql: Sql, { type, call, request }: ListOptions): Promise<number> {
  const given = parameters();
  const view = viewFor(call, { type, given });
  const { rows } = await sql.query<{ total: number }>(
    `select count(*) as total from ${view.table} ${view.joins} where ${condition(request, { view, given })}`,
    given.values,
  );
  return rows[0]?.total ?? 0;
}

/** Ids first, in order, then only the page's documents: skipping thousands must not assemble them. */
async function pageOf(sql: Sql, { type, call, request }: ListOptions): Promise<string[]> {
  const given = parameters();
  const view = viewFor(call, { type, given });
  const order = request.sort ? sortSql(request.sort, view) : view.order;
  const { rows } = await sql.query<{ text: string }>(
    `select ${view.resource(notNeeded(request.projection, view.collections.keys()))}::text as text
     from (select found.id, row_number() over () as position from (
         select ${view.id} as id from ${view.table} ${view.joins} where ${condition(request, { view, given })}
         order by ${order} offset ${given.add(request.startIndex - 1)} limit ${given.add(request.count)}) found) page
       join ${view.table} on ${view.id} = page.id ${view.joins}
     order by page.position`,
    given.values,
  );
  return rows.map(({ text }) => projected(text, { type, projection: request.projection }));
}

function condition(request: ListRequest, { view, given }: { view: View; given: Parameters }): string {
  return request.filter ? `${view.visible} and ${filterSql(request.filter, { view, parameters: given })}` : view.visible;
}

function viewFor({ connection, base }: Call, { type, given }: { type: ResourceType; given: Parameters }): View {
  return type.view({ parameters: given, connectionId: connection.id, base });
}

function projected(text: string, { type, projection }: { type: ResourceType; projection: Projection | undefined }): string {
  return projection ? JSON.stringify(project(JSON.parse(text) as JsonObject, { schema: type.schema, projection })) : text;
}
