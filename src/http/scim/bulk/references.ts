import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

const WHOLE = /^bulkId:(.+)$/is;
const AT_THE_END = /\/bulkId:([^/]+)$/i;
const QUOTED = /"bulkId:([^"\\]+)"/gi;

/** What a text names by bulkId, given the member it stands in: the whole text, the end of a `$ref`, inside a patch's path. */
function namedIn(text: string, member: string): string[] {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) return [whole];
  if (member === "$ref") return [...(AT_THE_END.exec(text)?.slice(1, 2) ?? [])];
  return member === "path" ? [...text.matchAll(QUOTED)].flatMap(([, bulkId]) => bulkId ?? []) : [];
}

/** Names by which a value refers to what other operations of the request make (RFC 7644 section 3.7.2). */
export function referencesIn(value: JsonValue | undefined, member = ""): string[] {
  if (typeof value === "string") return namedIn(value, member);
  if (Array.isArray(value)) return value.flatMap((element) => referencesIn(element, member));
  return isJsonObject(value) ? Object.entries(value).flatMap(([name, inner]) => referencesIn(inner, name)) : [];
}

/** A value in two parts: what can be said now, and what must wait for ids that are not known yet. */
export interface Parted {
  now: JsonValue | undefined;
  later: JsonValue | undefined;
}

/**
 * Puts ids in the place of references. What refers to something without an id yet is left out of `now`, and stands in
 * `later` in the same form, whole elements together: `{ members: [{ value: "bulkId:b" }] }`.
 */
export function withIds(value: JsonValue, idOf: (bulkId: string) => string | undefined, member = ""): Parted {
  if (typeof value === "string") return textWithIds(value, { idOf, member });
  if (Array.isArray(value)) {
    const parts = value.map((element) => withIds(element, idOf, member));
    const later = parts.flatMap((part) => part.later ?? []);
    return { now: parts.flatMap((part) => (part.now === undefined ? [] : [part.now])), later: later.length ? later : undefined };
  }
  if (!isJsonObject(value)) return { now: value, later: undefined };
  return objectWithIds(value, idOf);
}

function textWithIds(text: string, { idOf, member }: { idOf: (bulkId: string) => string | undefined; member: string }): Parted {
  const named = namedIn(text, member);
  if (named.length === 0) return { now: text, later: undefined };
  const ids = new Map(named.map((bulkId) => [bulkId, idOf(bulkId)]));
  if ([...ids.values()].includes(undefined)) return { now: undefined, later: text };
  const id = (bulkId: string) => ids.get(bulkId) ?? bulkId;
  if (WHOLE.test(text)) return { now: id(named[0] ?? ""), later: undefined };
  const replaced =
    member === "$ref"
      ? text.replace(AT_THE_END, (_, bulkId: string) => `/${id(bulkId)}`)
      : text.replaceAll(QUOTED, (_, bulkId: string) => JSON.stringify(id(bulkId)));
  return { now: replaced, later: undefined };
}

function objectWithIds(value: JsonObject, idOf: (bulkId: string) => string | undefined): Parted {
  const parts = Object.entries(value).map(([name, inner]) => [name, withIds(inner, idOf, name)] as const);
  // `{ value, type }` is one reference: half of it refers to nothing.
  if (parts.some(([name, part]) => name.toLowerCase() === "value" && typeof part.later === "string"))
    return { now: undefined, later: value };
  const pick = (side: keyof Parted): JsonObject =>
    Object.fromEntries(parts.flatMap(([name, part]) => (part[side] === undefined ? [] : [[name, part[side]]])));
  const later = pick("later");
  return { now: pick("now"), later: Object.keys(later).length ? later : undefined };
}
