import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

const WHOLE = /^bulkId:(.+)$/is;
const AT_THE_END = /\/bulkId:([^/]+)$/i;
const QUOTED = /"bulkId:([^"\\]+)"/gi;

/** Attributes that refer to other resources, by their own name, with a URN before it or in a patch's path. */
const REFERS = /(?:^|[:.])(?:members|manager)(?:$|[.[])/i;

/** Where a value stands. */
interface Place {
  /** The member's name in small letters. */
  member: string;
  /** Within an attribute that refers to others: elsewhere a text that looks like a reference is somebody's title. */
  refers: boolean;
}

const OUTSIDE: Place = { member: "", refers: false };

function placeIn(holder: JsonObject, name: string, { refers }: Place): Place {
  const member = name.toLowerCase();
  const path = member === "value" ? Object.entries(holder).find(([other]) => other.toLowerCase() === "path")?.[1] : undefined;
  return { member, refers: refers || REFERS.test(name) || (typeof path === "string" && REFERS.test(path)) };
}

/** What a text names by bulkId, given where it stands: the whole text, the end of a `$ref`, inside a patch's path. */
function namedIn(text: string, { member, refers }: Place): string[] {
  if (member === "path") return REFERS.test(text) ? [...text.matchAll(QUOTED)].flatMap(([, bulkId]) => bulkId ?? []) : [];
  if (!refers) return [];
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) return [whole];
  return member === "$ref" ? [...(AT_THE_END.exec(text)?.slice(1, 2) ?? [])] : [];
}

/** Names by which a value refers to what other operations of the request make (RFC 7644 section 3.7.2). */
export function referencesIn(value: JsonValue | undefined, place = OUTSIDE): string[] {
  if (typeof value === "string") return namedIn(value, place);
  if (Array.isArray(value)) return value.flatMap((element) => referencesIn(element, place));
  return isJsonObject(value) ? Object.entries(value).flatMap(([name, inner]) => referencesIn(inner, placeIn(value, name, place))) : [];
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
export function withIds(value: JsonValue, idOf: (bulkId: string) => string | undefined, place = OUTSIDE): Parted {
  if (typeof value === "string") return textWithIds(value, { idOf, place });
  if (Array.isArray(value)) {
    const parts = value.map((element) => withIds(element, idOf, place));
    const later = parts.flatMap((part) => part.later ?? []);
    return { now: parts.flatMap((part) => (part.now === undefined ? [] : [part.now])), later: later.length ? later : undefined };
  }
  if (!isJsonObject(value)) return { now: value, later: undefined };
  return objectWithIds(value, { idOf, place });
}

interface Placed {
  idOf(bulkId: string): string | undefined;
  place: Place;
}

function textWithIds(text: string, { idOf, place }: Placed): Parted {
  const named = namedIn(text, place);
  if (named.length === 0) return { now: text, later: undefined };
  const ids = new Map(named.map((bulkId) => [bulkId, idOf(bulkId)]));
  if ([...ids.values()].includes(undefined)) return { now: undefined, later: text };
  const id = (bulkId: string) => ids.get(bulkId) ?? bulkId;
  if (WHOLE.test(text)) return { now: id(named[0] ?? ""), later: undefined };
  const replaced =
    place.member === "$ref"
      ? text.replace(AT_THE_END, (_, bulkId: string) => `/${id(bulkId)}`)
      : text.replaceAll(QUOTED, (_, bulkId: string) => JSON.stringify(id(bulkId)));
  return { now: replaced, later: undefined };
}

function objectWithIds(value: JsonObject, { idOf, place }: Placed): Parted {
  const parts = Object.entries(value).map(([name, inner]) => [name, withIds(inner, idOf, placeIn(value, name, place))] as const);
  // `{ value, type }` is one reference: half of it refers to nothing.
  if (parts.some(([name, part]) => name.toLowerCase() === "value" && typeof part.later === "string"))
    return { now: undefined, later: value };
  const pick = (side: keyof Parted): JsonObject =>
    Object.fromEntries(parts.flatMap(([name, part]) => (part[side] === undefined ? [] : [[name, part[side]]])));
  const later = pick("later");
  return { now: pick("now"), later: Object.keys(later).length ? later : undefined };
}
