import { TOKEN_STAMP, type TokenProof } from "../../auth/tokens.ts";
import type { Sql } from "../../db/database.ts";
import type { PlainValue, SharedReads } from "../../db/shared-reads.ts";
import type { Call } from "./call.ts";
import type { JsonObject } from "./json.ts";
import { placedView } from "./placed-view.ts";
import { isLeftOutWhole, keyOf, notNeeded, project, standing, type Projection } from "./projection.ts";
import type { ResourceType } from "./resource-type.ts";
import { isUuid, type View } from "./view.ts";

/** A resource as it goes out: JSON text, straight from the database where nothing has to be left out. */
export interface Found {
  text: string;
  version: string;
  /** The lengthy list is not in the text, because it is long and was to be spared. */
  isSpared?: boolean;
}

export interface FindOptions {
  type: ResourceType;
  call: Call;
  id: string;
  projection?: Projection | undefined;
  /** Leaves out the list that is lengthy where it is long, for whoever sends it in portions (see portions.ts). */
  sparing?: boolean;
}

/** One resource by id; undefined when there is none for this client. */
export async function findResource(sql: Sql, options: FindOptions): Promise<Found | undefined> {
  if (!isUuid(options.id)) return undefined;
  const statement = statementFor(options.call, options);
  const { name, text } = statement;
  const { rows } = await sql.query<ReadRow>({ name, text, values: statement.values({ ...options, hash: null }) });
  return foundIn(rows, { ...options, statement });
}

/** The same, shared with others who read at this moment; the statement also shows what proves a claimed client (see proven.ts). */
export async function findProven(
  reads: SharedReads,
  options: FindOptions & { proof: TokenProof | undefined },
): Promise<{ found: Found | undefined; stamp: string | null }> {
  if (!isUuid(options.id)) return { found: undefined, stamp: null };
  const statement = statementFor(options.call, options);
  const { name, text } = statement;
  const rows = await reads.query<ReadRow>({ name, text, values: statement.values({ ...options, hash: options.proof?.hash ?? null }) });
  return { stamp: rows[0]?.stamp ?? null, found: foundIn(rows, { ...options, statement }) };
}

function foundIn(
  rows: readonly ReadRow[],
  { type, projection, statement }: Pick<FindOptions, "type" | "projection"> & { statement: Statement },
): Found | undefined {
  const { text = null, version = "", spared = false } = rows[0] ?? {};
  if (text === null) return undefined;
  return { text: projected(text, { type, projection: statement.isFinal ? undefined : projection }), version, isSpared: spared };
}

interface ReadRow {
  stamp: string | null;
  /** Null when there is no such resource. */
  text: string | null;
  version: string;
  spared?: boolean;
}

/** A statement, and its parameters' values in their order. */
interface Statement {
  name: string;
  text: string;
  /** Its text has all that was to be left out left out. */
  isFinal: boolean;
  values(given: { call: Call; id: string; hash: Buffer | null }): PlainValue[];
}

/** Statements by all that they depend on, each made once. Clients make up projections; so they are not kept for ever. */
const MADE = new Map<string, Statement>();
const MOST_MADE = 500;

const PLACES = [
  ["id", "id"],
  ["hash", "hash"],
] as const;

type Form = Pick<FindOptions, "type" | "projection" | "sparing">;

function statementFor(call: Call, form: Form): Statement {
  const { type, projection, sparing = false } = form;
  const key = `${type.kind} ${call.visibility} ${call.reader ? "reader" : ""} ${sparing ? "sparing" : ""} ${projection ? keyOf(projection) : ""}`;
  const known = MADE.get(key);
  if (known) return known;
  const made = makeStatement(call, form);
  if (MADE.size >= MOST_MADE) MADE.clear();
  MADE.set(key, made);
  return made;
}

function makeStatement({ visibility, reader }: Call, { type, projection, sparing = false }: Form): Statement {
  const { view, parameters: given, values } = placedView({ visibility, reader }, { type, own: PLACES });
  const without = notNeeded(projection, view);
  const spared = sparing && view.lengthy && !without.has(view.lengthy.path) ? view.lengthy : undefined;
  const resource = `select (${view.resource(without, { sparing: spared !== undefined })})::text as text, ${view.version} as version, ${spared ? "lengthy.is_long" : "false"} as spared
      from ${view.table} ${view.joins} ${spared?.join ?? ""} where ${view.id} = ${given.add("id")}::uuid and ${view.visible}`;
  return {
    // Prepared once for each connection: planning would cost more than the read. The name says all that the text depends on.
    name: [
      "scim-read",
      type.kind,
      visibility,
      ...(reader ? ["reader"] : []),
      ...(spared ? ["sparing"] : []),
      ...partsOf(view, without),
    ].join("-"),
    text: `select ${TOKEN_STAMP(`${given.add("hash")}::bytea`)} as stamp, found.text, found.version, found.spared from (select) one left join lateral (${resource}) found on true`,
    isFinal: projection !== undefined && isLeftOutWhole(projection, view),
    values: ({ call, id, hash }) => values(call, { id, hash }),
  };
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
