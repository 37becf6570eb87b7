import type { AttributeObject, AttributeValue, RecordProblem, SourceRecord } from "../contract.ts";
import type { EntraSettings } from "./config.ts";
import { isObject, type WireObject } from "./json.ts";
import { unitReferenceOf } from "./unit-names.ts";

/** Ids stand in paths and in filters: what is no id is refused before it is used. */
const ID = /^[0-9a-zA-Z-]{1,64}$/;
const MAX_DEPTH = 4;

export function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

export function isProblem(read: SourceRecord | RecordProblem): read is RecordProblem {
  return "code" in read;
}

/**
 * A user as a record: the properties that were asked for, always in one order, what is empty left out. `manager` is the
 * manager's id, `administrativeUnits` the ids of those that the user is in, `unit` names the department's or company's record.
 */
export function userRecord(
  object: WireObject,
  { settings, administrativeUnits }: { settings: EntraSettings; administrativeUnits?: readonly string[] },
): SourceRecord | RecordProblem {
  const { id } = object;
  if (!isId(id)) return noId("user");
  const attributes = attributesOf(object, settings.userProperties);
  if (typeof attributes === "string") return unreadable("user", id, attributes);
  const manager = settings.manager ? managerOf(object) : undefined;
  const unit = unitReferenceOf(object, settings.units);
  return {
    kind: "user",
    nativeId: id,
    attributes: {
      id,
      ...attributes,
      ...(manager === undefined ? {} : { manager }),
      ...(unit === undefined ? {} : { unit }),
      ...(administrativeUnits === undefined ? {} : { administrativeUnits: administrativeUnits.toSorted() }),
    },
  };
}

export function groupRecord(
  object: WireObject,
  { settings, members }: { settings: EntraSettings; members: readonly string[] },
): SourceRecord | RecordProblem {
  const { id } = object;
  if (!isId(id)) return noId("group");
  const attributes = attributesOf(object, settings.groupProperties);
  if (typeof attributes === "string") return unreadable("group", id, attributes);
  return { kind: "group", nativeId: id, attributes: { id, ...attributes }, members: { set: members.toSorted() } };
}

/** Properties of administrative units that are read. */
export const UNIT_PROPERTIES = ["displayName", "description"] as const;

export function unitRecord(object: WireObject): SourceRecord | RecordProblem {
  const { id } = object;
  if (!isId(id)) return noId("unit");
  const attributes = attributesOf(object, UNIT_PROPERTIES);
  if (typeof attributes === "string") return unreadable("unit", id, attributes);
  return {
    kind: "unit",
    nativeId: id,
    attributes: { id, ...(attributes["displayName"] === undefined ? {} : { name: attributes["displayName"] }), ...attributes },
  };
}

/** The manager's id: from a delta query's list, where the last one counts, or from the expanded object. */
export function managerOf(object: WireObject): string | undefined {
  const listed = object["manager@delta"];
  if (Array.isArray(listed)) {
    const standing = (listed as readonly unknown[]).filter((each) => isObject(each) && !isObject(each["@removed"]));
    const last = standing.at(-1);
    return isObject(last) && isId(last["id"]) ? last["id"] : undefined;
  }
  const { manager } = object;
  return isObject(manager) && isId(manager["id"]) ? manager["id"] : undefined;
}

/** The properties by name, or the name of one that can't be taken. */
function attributesOf(object: WireObject, names: readonly string[]): AttributeObject | string {
  const attributes: Record<string, AttributeValue> = {};
  for (const name of names) {
    const given = object[name];
    if (given === undefined || given === null || given === "" || (Array.isArray(given) && given.length === 0)) continue;
    const value = valueOf(given, MAX_DEPTH);
    if (value === undefined) return name;
    attributes[name] = value;
  }
  return attributes;
}

function valueOf(given: unknown, depth: number): AttributeValue | undefined {
  if (typeof given === "string" || typeof given === "number" || typeof given === "boolean" || given === null) return given;
  if (depth === 0) return undefined;
  if (Array.isArray(given)) {
    if (given.every((each) => typeof each === "string")) return given as string[];
    const objects = (given as readonly unknown[]).map((each) => (isObject(each) ? valueOf(each, depth - 1) : undefined));
    return objects.includes(undefined) ? undefined : (objects as AttributeObject[]);
  }
  if (!isObject(given)) return undefined;
  const object: Record<string, AttributeValue> = {};
  for (const [name, inner] of Object.entries(given)) {
    if (name.includes("@")) continue;
    const value = valueOf(inner, depth - 1);
    if (value === undefined) return undefined;
    object[name] = value;
  }
  return object;
}

function noId(kind: SourceRecord["kind"]): RecordProblem {
  return { kind, nativeId: "", code: "no_native_id", message: `Microsoft Graph listed a ${kind} without an id.` };
}

function unreadable(kind: SourceRecord["kind"], nativeId: string, name: string): RecordProblem {
  return {
    kind,
    nativeId,
    code: "invalid",
    message: `The ${kind} ${nativeId} has a value of ${name} that can't be taken: it is nested too deep, or mixed.`,
  };
}
