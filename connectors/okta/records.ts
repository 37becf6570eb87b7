import { z } from "zod";
import type { AttributeObject, AttributeValue, Kind, RecordProblem, SourceRecord } from "../contract.ts";
import { isJsonObject, type JsonObject } from "./pages.ts";

const time = z.string().max(64).nullish();
/** Okta's ids: letters and digits; never a login, which may be given to somebody else. */
const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** Its values are looked at one by one when they become attributes. */
const profile = z.custom<JsonObject>(isJsonObject).nullish();

const user = z.object({
  id,
  status: z.string().min(1).max(64),
  transitioningToStatus: z.string().nullish(),
  statusChanged: time,
  lastUpdated: time,
  realmId: z.string().nullish(),
  type: z.object({ id: z.string() }).nullish(),
  profile,
});

const group = z.object({ id, type: z.string().min(1).max(64), lastUpdated: time, lastMembershipUpdated: time, profile });

/** Okta deactivates in the background: then the decision has been made, though the status still says the old. */
export function standingOf({
  status,
  transitioningToStatus,
}: {
  status: string;
  transitioningToStatus?: string | null | undefined;
}): string {
  return transitioningToStatus === "DEPROVISIONED" ? "DEPROVISIONED" : status;
}

/**
 * A person as Okta tells it: the profile's attributes by their own names, and beside them `id`, `status`, `typeId` and `realmId`.
 * What changes with every sign-in is left out. A profile's own attribute of one of these names is delivered as `profile.<name>`.
 */
export function userRecord(json: JsonObject): SourceRecord | RecordProblem {
  const parsed = user.safeParse(json);
  if (!parsed.success) return problemOf("user", { json, error: parsed.error });
  const { id: nativeId, type, realmId, lastUpdated, profile: attributes } = parsed.data;
  const own: Record<string, AttributeValue> = { id: nativeId, status: standingOf(parsed.data) };
  if (type) own["typeId"] = type.id;
  if (realmId) own["realmId"] = realmId;
  return { kind: "user", nativeId, ...changedAt(lastUpdated), attributes: flattened(own, attributes) };
}

/** A group without its members. Attributes: those of its profile, `id` and `type`. */
export function groupRecord(json: JsonObject): SourceRecord | RecordProblem {
  const parsed = group.safeParse(json);
  if (!parsed.success) return problemOf("group", { json, error: parsed.error });
  const { id: nativeId, type, lastUpdated, lastMembershipUpdated, profile: attributes } = parsed.data;
  const latest = [lastUpdated, lastMembershipUpdated]
    .filter((each) => typeof each === "string")
    .sort()
    .at(-1);
  return { kind: "group", nativeId, ...changedAt(latest), attributes: flattened({ id: nativeId, type }, attributes) };
}

export function isProblem(read: SourceRecord | RecordProblem): read is RecordProblem {
  return "code" in read;
}

/** The id of a listed member; undefined when it has none. */
export function memberId(json: JsonObject): string | undefined {
  const parsed = id.safeParse(json["id"]);
  return parsed.success ? parsed.data : undefined;
}

function flattened(own: Record<string, AttributeValue>, attributes: Readonly<Record<string, unknown>> | null | undefined): AttributeObject {
  // Always in the same order: the same person is the same text, whatever order Okta sends.
  const names = Object.keys(attributes ?? {}).sort();
  const theirs = names.flatMap((name): [string, AttributeValue][] => {
    const value = valueOf(attributes?.[name]);
    return value === undefined ? [] : [[Object.hasOwn(own, name) ? `profile.${name}` : name, value]];
  });
  // Made at once: adding a profile's names to an object one by one costs seven times as much.
  return Object.fromEntries([...Object.entries(own), ...theirs]);
}

/** Okta's profiles hold strings, numbers, booleans and lists of these; what has no value is left out. */
function valueOf(value: unknown): AttributeValue | undefined {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((each) => (typeof each === "string" || typeof each === "number" || typeof each === "boolean" ? [String(each)] : []));
}

function changedAt(text: string | null | undefined): { changedAt?: Date } {
  const at = new Date(text ?? Number.NaN);
  return Number.isNaN(at.getTime()) ? {} : { changedAt: at };
}

function problemOf(kind: Kind, { json, error }: { json: JsonObject; error: z.ZodError }): RecordProblem {
  const [issue] = error.issues;
  const field = issue?.path.join(".") ?? "";
  const given = typeof json["id"] === "string" ? json["id"].slice(0, 64) : "";
  return {
    kind,
    nativeId: given,
    code: "invalid",
    message: `Okta sent it without a usable ${field || "shape"}: ${issue?.message ?? "unknown"}`,
  };
}
