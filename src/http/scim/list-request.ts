import { AppError } from "../../errors.ts";
import { filterAcross } from "./filter/across-types.ts";
import { parseFilter } from "./filter/parse.ts";
import type { Filter } from "./filter/ast.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { readProjection, type AskedNames, type Projection } from "./projection.ts";
import { findAttribute, type ResourceSchema, type Target } from "./schema.ts";
import type { Sort } from "./sort.ts";

/** Most resources in one answer, and how many when a client does not say. */
export const LARGEST_PAGE = 1000;
export const USUAL_PAGE = 100;

/** What a client asks of a list (RFC 7644 section 3.4.2). */
export interface ListRequest {
  filter?: Filter;
  /** No resource of the type can satisfy the filter. */
  isEmpty?: boolean;
  sort?: Sort;
  /** From 1. Means nothing beside a cursor. */
  startIndex: number;
  count: number;
  /** For paging by cursor (RFC 9865): empty for the first page. Without one, pages go by index. */
  cursor?: string;
  /** The filter and the order in one text: what a cursor is a place in. Empty without one. */
  list: string;
  projection?: Projection;
}

/**
 * Reads the query of a GET, or the body of a POST to .search. Names are taken in any case. Of a search over several types,
 * `others` are the further ones: what only they have is here without a value. Throws `invalid`.
 */
export function readListRequest(
  schema: ResourceSchema,
  source: Readonly<Record<string, unknown>>,
  { others = NO_OTHERS }: { others?: readonly ResourceSchema[] } = {},
): ListRequest {
  const given = new Map(Object.entries(source).map(([name, value]) => [name.toLowerCase(), value]));
  const text = (name: string): string | undefined => {
    const value = given.get(name.toLowerCase());
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return typeof first === "string" && first.trim() !== "" ? first : typeof first === "number" ? String(first) : undefined;
  };
  const filter = filterIn(given.get("filter"));
  const sortBy = text("sortBy");
  const descending = text("sortOrder")?.toLowerCase() === "descending";
  const cursor = given.has("cursor") && given.get("cursor") !== null ? (text("cursor") ?? "") : undefined;
  const byCursor = cursor !== undefined;
  const isElsewhere = sortBy !== undefined && !findAttribute(schema, sortBy) && others.some((other) => findAttribute(other, sortBy));
  return {
    ...(filter === undefined ? {} : filtered(filter, { schema, others })),
    ...(sortBy === undefined || isElsewhere ? {} : { sort: { target: sortTarget(schema, sortBy), descending } }),
    startIndex: byCursor ? 1 : Math.max(1, whole(text("startIndex"), { name: "startIndex", usual: 1 })),
    count: counted(text("count"), { byCursor }),
    ...(byCursor ? { cursor } : {}),
    list: byCursor ? JSON.stringify([filter ?? null, sortBy?.toLowerCase() ?? null, descending]) : "",
    projection: projectionOf(schema, source),
  };
}

/** What is no filter, or more than one, is not taken for none or for one of them: a look-up would find everybody. Throws `invalid`. */
function filterIn(value: unknown): string | undefined {
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  const [filter, another] = new Set(given.filter((one) => one !== null && !(typeof one === "string" && one.trim() === "")));
  if (another === undefined && (filter === undefined || typeof filter === "string")) return filter;
  const what = another === undefined ? "must be a text" : "comes more than once; join the conditions by `and`";
  throw new AppError("invalid", `filter: ${what}.`, { field: "filter", scimType: "invalidFilter" });
}

const NO_OTHERS: readonly ResourceSchema[] = [];

function filtered(
  text: string,
  { schema, others }: { schema: ResourceSchema; others: readonly ResourceSchema[] },
): Pick<ListRequest, "filter" | "isEmpty"> {
  if (others.length === 0) return { filter: parseFilter(schema, text) };
  const filter = filterAcross(text, { schema, others });
  if (typeof filter === "boolean") return filter ? {} : { isEmpty: true };
  return { filter };
}

/** Never more than we give at once. Below nothing is nothing, but a cursor can't be asked for so (RFC 9865 section 2.1). */
function counted(text: string | undefined, { byCursor }: { byCursor: boolean }): number {
  const count = whole(text, { name: "count", usual: USUAL_PAGE, ...(byCursor ? { scimType: "invalidCount" } : {}) });
  if (byCursor && count < 0) throw new AppError("invalid", "count: must not be negative.", { field: "count", scimType: "invalidCount" });
  return Math.min(LARGEST_PAGE, Math.max(0, count));
}

/** `attributes` and `excludedAttributes`, comma-separated in a query, lists in a body. */
export function projectionOf(schema: ResourceSchema, source: Readonly<Record<string, unknown>>): Projection | undefined {
  return readProjection(schema, askedNames(source));
}

/** The same, as names. */
export function askedNames(source: Readonly<Record<string, unknown>>): Required<AskedNames> {
  const asked: { attributes: string[]; excludedAttributes: string[] } = { attributes: [], excludedAttributes: [] };
  for (const [name, value] of Object.entries(source)) {
    const kind = NAMING.get(name.toLowerCase());
    if (kind) asked[kind] = asked[kind].concat(namesIn(value));
  }
  return asked;
}

const NAMING: ReadonlyMap<string, keyof AskedNames> = new Map([
  ["attributes", "attributes"],
  ["excludedattributes", "excludedAttributes"],
]);

function namesIn(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value])
    .flatMap((one: unknown) => (typeof one === "string" ? one.split(",") : []))
    .map((name) => name.trim())
    .filter(Boolean);
}

/** Beyond it every number means the same: further than any list goes. */
const LARGEST_NUMBER = 2_147_483_647;

/**
 * A number below what makes sense is read as the least that does (section 3.4.2.4), one beyond all lists as the largest:
 * clients ask for "all" by the largest number that they have. What is no number is refused.
 */
function whole(
  text: string | undefined,
  { name, usual, scimType = "invalidValue" }: { name: string; usual: number; scimType?: string },
): number {
  if (text === undefined) return usual;
  if (!/^[+-]?\d{1,30}$/.test(text.trim())) throw new AppError("invalid", `${name}: must be a whole number.`, { field: name, scimType });
  return Math.max(-LARGEST_NUMBER, Math.min(LARGEST_NUMBER, Number(text)));
}

function sortTarget(schema: ResourceSchema, name: string): Target {
  const named = findAttribute(schema, name);
  if (!named?.attribute)
    throw new AppError("invalid", `sortBy: \`${name.slice(0, 100)}\` is not an attribute of a ${schema.type}.`, {
      field: "sortBy",
      scimType: "invalidPath",
    });
  if (named.sub || named.attribute.type !== "complex") return named;
  const value = named.attribute.subAttributes.get("value");
  if (!value)
    throw new AppError("invalid", `sortBy: ${named.attribute.name} is complex: name one of its sub-attributes.`, {
      field: "sortBy",
      scimType: "invalidPath",
    });
  return { ...named, sub: value };
}

/** RFC 7644 section 3.4.3. */
export const SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/** Throws `invalid` when a search's body says that it is something else. */
export function refuseOtherMessages(body: JsonObject): void {
  const schemas: JsonValue | undefined = body["schemas"];
  if (!Array.isArray(schemas) || schemas.some((urn) => String(urn).toLowerCase() === SEARCH_REQUEST.toLowerCase())) return;
  throw new AppError("invalid", `schemas: must contain ${SEARCH_REQUEST}.`, { field: "schemas", scimType: "invalidSyntax" });
}
