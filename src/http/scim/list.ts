import { TOKEN_STAMP, type TokenProof } from "../../auth/tokens.ts";
import type { Database } from "../../db/database.ts";
import { createSharedAnswers, type SharedAnswers } from "../../db/shared-answers.ts";
import { arePlain } from "../../db/shared-reads.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import type { Call } from "./call.ts";
import { viewOf } from "./call-view.ts";
import { openCursor, sealCursor, type Position } from "./cursor.ts";
import { STATEMENT_CUT_OFF } from "./errors.ts";
import { keyLookUp } from "./key-look-up.ts";
import type { ListRequest } from "./list-request.ts";
import { listStatement, type ListRow } from "./list-statement.ts";
import { isLeftOutWhole } from "./projection.ts";
import { projected } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import { parameters } from "./view.ts";

/** RFC 7644 section 3.4.2. */
export const LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

export interface ListOptions {
  type: ResourceType;
  call: Call;
  request: ListRequest;
}

/** What lists are read with. */
export interface ListDoor {
  db: Database;
  keyRing: KeyRing;
}

/** A part of a list: the resources' JSON texts, and how many there are in all. */
export interface Page {
  total: number;
  /** What proves the client of a claimed call; null when no proof was asked for. */
  stamp: string | null;
  resources: string[];
  /** Cursors of the pages around it (RFC 9865), where there are any. */
  next?: string;
  previous?: string;
}

/** A page of resources as the parts of a ListResponse's JSON text. Throws `invalid` for a bad cursor, and what PostgreSQL throws when it takes too long. */
export async function listResources(door: ListDoor, options: ListOptions): Promise<string[]> {
  return listParts(await readPage(door, options), options.request);
}

/** The parts of a ListResponse's JSON text, the resources' texts as they are. */
export function listParts({ total, resources, next, previous }: Omit<Page, "stamp">, { cursor, startIndex }: ListRequest): string[] {
  const place = cursor === undefined ? `,"startIndex":${startIndex}` : cursorText({ nextCursor: next, previousCursor: previous });
  const begin = `{"schemas":["${LIST_RESPONSE}"],"totalResults":${total}${place},"itemsPerPage":${resources.length},"Resources":[`;
  return [begin, ...resources.flatMap((resource, at) => (at === 0 ? [resource] : [",", resource])), "]}"];
}

function cursorText(cursors: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(cursors)
    .flatMap(([name, cursor]) => (cursor === undefined ? [] : [`,"${name}":"${cursor}"`]))
    .join("");
}

/** Reads one page and the total, both of one moment. */
export async function readPage(
  door: ListDoor,
  { type, call, request, proof }: ListOptions & { proof?: TokenProof | undefined },
): Promise<Page> {
  const sealing = { keyRing: door.keyRing, connectionId: call.connection.id, list: `${type.kind} ${request.list}`, now: call.ctx.now() };
  const position = request.cursor ? openCursor(request.cursor, sealing) : undefined;
  const query = keyLookUp(call, { type, request, proof }) ?? listQuery(door, { type, call, request, proof, position });
  const projection = query.isFinal ? undefined : request.projection;
  const rows = await rowsOf(door, { ...query, isSmall: request.filter !== undefined }).catch((error: unknown) => {
    throw tooMany(error, request) ?? error;
  });
  const total = rows[0]?.total ?? 0;
  const shown = rows.filter((row): row is Shown => row.text !== null);
  const { page, next, previous } = request.cursor === undefined ? { page: shown } : around(shown, { count: request.count, position });
  return {
    total,
    stamp: rows[0]?.stamp ?? null,
    resources: page.map((row) => projected(row.text, { type, projection })),
    ...(next ? { next: sealCursor(next, sealing) } : {}),
    ...(previous ? { previous: sealCursor(previous, sealing) } : {}),
  };
}

interface ListQuery {
  text: string;
  name: string | undefined;
  values: readonly unknown[];
  /** Its resources have all left out that was to be left out. */
  isFinal: boolean;
}

/** The statement of any list. */
function listQuery(
  { db }: ListDoor,
  { type, call, request, proof, position }: ListOptions & { proof: TokenProof | undefined; position: Position | undefined },
): ListQuery {
  const given = parameters();
  const view = viewOf(call, { type, parameters: given });
  const stamp = proof && TOKEN_STAMP(`${given.add(proof.hash)}::bytea`);
  const text = listStatement({ view, parameters: given, request, position, stamp });
  const isFinal = request.projection !== undefined && isLeftOutWhole(request.projection, view);
  return { text, name: db.statementNames.nameOf(text), values: given.values, isFinal };
}

/** Those who ask for the same page wait for one that is on its way no longer than this. */
const PATIENCE_MS = 50;

// A database's own, and gone with it.
const pagesOf = new WeakMap<Database, SharedAnswers<ListRow[]>>();

/**
 * What several ask for at one moment is read once: a client that repeats a slow question, or many that begin together, cost one read.
 * `isSmall`: somebody is looked for, not paged through; most such lists are short.
 */
async function rowsOf(
  { db }: ListDoor,
  { text, name, values, isSmall }: Omit<ListQuery, "isFinal"> & { isSmall: boolean },
): Promise<ListRow[]> {
  // A form that has a name has come before, and will again.
  if (isSmall && name !== undefined && arePlain(values)) return db.keyedReads.query<ListRow>({ text, name, values });
  const pages = pagesOf.get(db) ?? createSharedAnswers<ListRow[]>({ patienceMs: PATIENCE_MS });
  pagesOf.set(db, pages);
  return pages.of(
    JSON.stringify([name ?? text, ...values.map((value) => (Buffer.isBuffer(value) ? value.toString("base64") : value))]),
    async () => {
      const { rows } = await db.readPool.query<ListRow>({ text, values: [...values], ...(name === undefined ? {} : { name }) });
      return rows;
    },
  );
}

/** A list that could not be read in its time, where what was asked of it is to blame; undefined where only others can be. */
function tooMany(error: unknown, { filter, sort }: ListRequest): AppError | undefined {
  const isCutOff = typeof error === "object" && error !== null && "code" in error && error.code === STATEMENT_CUT_OFF;
  if (!isCutOff || (!filter && !sort)) return undefined;
  const what = filter ? "The filter takes too long to evaluate" : "The order takes too long to work out";
  const way = filter ? "narrow it, or filter by an indexed attribute" : "filter, or order by an indexed attribute";
  return new AppError("invalid", `${what}; ${way} (id, userName, externalId).`, { scimType: "tooMany", cause: error });
}

type Shown = ListRow & { text: string; id: string };

/** One row more was read than the page has, if there is one: then another page follows in the direction that we walked. */
function around(
  walked: readonly Shown[],
  { count, position }: { count: number; position: Position | undefined },
): { page: readonly Shown[]; next?: Position | undefined; previous?: Position | undefined } {
  const backward = position?.direction === "before";
  const kept = walked.slice(0, count);
  const page = backward ? kept.toReversed() : kept;
  const isMore = walked.length > count;
  const first = page[0];
  const last = page.at(-1);
  return {
    page,
    next: last && (backward || isMore) ? { direction: "after", key: last.key, id: last.id } : undefined,
    previous: first && (backward ? isMore : position !== undefined) ? { direction: "before", key: first.key, id: first.id } : undefined,
  };
}
