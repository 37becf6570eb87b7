import { AppError } from "../../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { findAttribute, type AttributeMap, type Named, type ResourceSchema, type SchemaAttribute } from "./schema.ts";
import { pathOf, type View } from "./view.ts";

/** Which attributes an answer has (RFC 7644 section 3.9). Undefined = the default ones, all that we hold. */
export interface Projection {
  kind: "only" | "without";
  named: readonly Named[];
}

/** `attributes` and `excludedAttributes` as a client gives them. */
export interface AskedNames {
  attributes?: readonly string[];
  excludedAttributes?: readonly string[];
}

/** Throws `invalid` when both are given, which can be told without a schema. */
export function refuseBoth({ attributes, excludedAttributes }: AskedNames): void {
  if (!attributes?.length || !excludedAttributes?.length) return;
  throw new AppError("invalid", "attributes and excludedAttributes can't be used together.", {
    field: "attributes",
    scimType: "invalidValue",
  });
}

/**
 * Reads `attributes` and `excludedAttributes`. A name that the schema does not know asks for nothing.
 * Throws `invalid` when both are given.
 */
export function readProjection(schema: ResourceSchema, asked: AskedNames): Projection | undefined {
  refuseBoth(asked);
  const { attributes, excludedAttributes } = asked;
  // Each once: an answer costs what there is to leave out, not how often it was asked for.
  const named = (names: readonly string[]) => [
    ...new Map(
      names.flatMap((name) => {
        const found = findAttribute(schema, name);
        return found ? [[found.attribute ? pathOf(found) : found.extension, found] as const] : [];
      }),
    ).values(),
  ];
  if (attributes?.length) return { kind: "only", named: named(attributes) };
  if (excludedAttributes?.length) return { kind: "without", named: named(excludedAttributes) };
  return undefined;
}

/** Paths of computed lists that an answer does not need: they are then not read at all. */
export function notNeeded(
  projection: Projection | undefined,
  { collections, onRequest: byName = NOTHING }: Pick<View, "collections" | "onRequest">,
): ReadonlySet<string> {
  if (!projection) return byName.size === 0 ? NONE : new Set(byName.keys());
  const paths = [...collections.keys()];
  if (projection.kind === "only") {
    const isAsked = (path: string) =>
      projection.named.some(({ extension, attribute }) =>
        attribute ? path === pathOf({ extension, attribute }) : path.startsWith(`${extension.toLowerCase()}:`),
      );
    return new Set(paths.filter((path) => !isAsked(path)));
  }
  const whole = new Set(projection.named.flatMap((named) => (named.attribute && !named.sub ? [pathOf(named)] : [])));
  return new Set(paths.filter((path) => whole.has(path) || byName.has(path)));
}

/** Whether all that a projection takes away are computed lists: whoever reads without them (`notNeeded`) has nothing left to take out. */
export function isLeftOutWhole({ kind, named }: Projection, { collections }: Pick<View, "collections">): boolean {
  return kind === "without" && named.every((each) => each.attribute && !each.sub && collections.has(pathOf(each)));
}

/** The same text for projections that mean the same. */
export function keyOf({ kind, named }: Projection): string {
  return `${kind} ${named.map((each) => (each.attribute ? pathOf(each) : each.extension)).join(",")}`;
}

const NONE: ReadonlySet<string> = new Set();
const NOTHING: ReadonlyMap<string, string> = new Map();

/** What an answer leaves out when nothing is asked: undefined when the schema keeps nothing back, which spares the parsing. */
export function standing(schema: ResourceSchema): Projection | undefined {
  const known = STANDING.get(schema);
  if (known) return known.projection;
  const projection = keepsBack(schema) ? ({ kind: "without", named: [] } as const) : undefined;
  STANDING.set(schema, { projection });
  return projection;
}

/** Worked out once for each schema object. */
const STANDING = new WeakMap<ResourceSchema, { projection: Projection | undefined }>();

function keepsBack({ attributes, extensions }: ResourceSchema): boolean {
  const maps = [attributes, ...extensions.map((extension) => extension.attributes)];
  const leaves = maps.flatMap((map) => [...map.values()]).flatMap((attribute) => [attribute, ...attribute.subAttributes.values()]);
  // What is never returned is never kept either (see isStored); what we compute is left out where it would be computed.
  return leaves.some(({ returned, mutability }) => returned === "request" && mutability !== "readOnly");
}

/** The part of a resource that was asked for. What is always returned (id, schemas) is there, whatever was asked. */
export function project(resource: JsonObject, { schema, projection }: { schema: ResourceSchema; projection: Projection }): JsonObject {
  return projection.kind === "only"
    ? only(resource, { schema, named: projection.named })
    : without(resource, { schema, named: [...projection.named, ...onRequest(schema)] });
}

/** What only comes when it is named. */
function onRequest({ attributes, extensions }: ResourceSchema): Named[] {
  const of = (map: AttributeMap, extension?: string): Named[] =>
    [...map.values()].flatMap((attribute) => {
      const at = extension === undefined ? { attribute } : { extension, attribute };
      if (attribute.returned === "request") return [at];
      return [...attribute.subAttributes.values()].filter(({ returned }) => returned === "request").map((sub) => ({ ...at, sub }));
    });
  return [...of(attributes), ...extensions.flatMap(({ urn, attributes: map }) => of(map, urn))];
}

function isAlways(schema: ResourceSchema, name: string): boolean {
  return schema.attributes.get(name.toLowerCase())?.returned === "always";
}

function only(resource: JsonObject, { schema, named }: { schema: ResourceSchema; named: readonly Named[] }): JsonObject {
  const answer: JsonObject = {};
  for (const [name, value] of Object.entries(resource)) if (isAlways(schema, name)) answer[name] = value;
  for (const { extension, attribute, sub } of named) {
    const holder = extension ? resource[extension] : resource;
    if (!isJsonObject(holder)) continue;
    if (!attribute) {
      if (extension) answer[extension] = holder;
      continue;
    }
    const value = holder[attribute.name];
    const part = value !== undefined && sub ? picked(value, { attribute, sub }) : value;
    if (part === undefined) continue;
    const goal = extension ? objectIn(answer, extension) : answer;
    goal[attribute.name] = merged(goal[attribute.name], part);
  }
  // Only now: what several names ask of the same elements was put together by their places.
  for (const { extension, attribute, sub } of named) {
    const goal = extension ? answer[extension] : answer;
    if (sub && isJsonObject(goal)) dropEmpty(goal, attribute.name);
  }
  return answer;
}

/** Elements of which nothing is left, and a value that has no other, are left out: to have none is to be unassigned (RFC 7643 section 2.5). */
function dropEmpty(holder: JsonObject, name: string): void {
  const value = holder[name];
  const isEmpty = (element: JsonValue | undefined) => isJsonObject(element) && Object.keys(element).length === 0;
  if (!Array.isArray(value)) {
    if (isEmpty(value)) delete holder[name];
    return;
  }
  const left = value.filter((element) => !isEmpty(element));
  if (left.length > 0) holder[name] = left;
  else delete holder[name];
}

function without(resource: JsonObject, { schema, named }: { schema: ResourceSchema; named: readonly Named[] }): JsonObject {
  const answer: JsonObject = structuredClone(resource);
  for (const { extension, attribute, sub } of named) {
    const holder = extension ? answer[extension] : answer;
    if (!isJsonObject(holder) || (attribute && !extension && isAlways(schema, attribute.name))) continue;
    if (!attribute) {
      if (extension) delete answer[extension];
    } else if (!sub) {
      delete holder[attribute.name];
    } else if (sub.returned !== "always") {
      const value = holder[attribute.name];
      for (const element of Array.isArray(value) ? value : [value]) if (isJsonObject(element)) delete element[sub.name];
      dropEmpty(holder, attribute.name);
    }
    if (extension && Object.keys(holder).length === 0) delete answer[extension];
  }
  return answer;
}

/** The sub-attribute that was asked for, of one value or of every element, with those that are always returned. */
function picked(value: JsonValue, { attribute, sub }: { attribute: SchemaAttribute; sub: SchemaAttribute }): JsonValue | undefined {
  const names = [...attribute.subAttributes.values()]
    .filter((other) => other === sub || other.returned === "always")
    .map(({ name }) => name);
  const pick = (element: JsonValue): JsonObject =>
    isJsonObject(element)
      ? Object.fromEntries(
          names.flatMap((name): [string, JsonValue][] => {
            const held = element[name];
            return held === undefined ? [] : [[name, held]];
          }),
        )
      : {};
  if (Array.isArray(value)) return value.map(pick);
  const one = pick(value);
  return Object.keys(one).length ? one : undefined;
}

/** `attributes=name.givenName,name.familyName` asks for both, of the same elements. */
function merged(before: JsonValue | undefined, more: JsonValue): JsonValue {
  if (Array.isArray(before) && Array.isArray(more)) return before.map((element, at) => merged(element, more[at] ?? {}));
  return isJsonObject(before) && isJsonObject(more) ? { ...before, ...more } : more;
}

function objectIn(holder: JsonObject, name: string): JsonObject {
  const held = holder[name];
  if (isJsonObject(held)) return held;
  const made: JsonObject = {};
  holder[name] = made;
  return made;
}
