import type { JsonObject, JsonValue } from "../../../src/http/scim/json.ts";

/**
 * PATCH as RFC 7644 section 3.5.2 says it, attribute by attribute and sentence by sentence, slowly: what the engine is
 * compared with. It knows attributes by a plain description and imports nothing of the engine.
 */
export interface Described {
  name: string;
  kind: "single" | "complex" | "list" | "records";
  required?: boolean;
  readOnly?: boolean;
}

/** Where an operation works, already taken apart; `type` stands for the filter `[type eq "…"]`. */
export interface NaiveOperation {
  op: "add" | "replace" | "remove";
  path?: { attribute: string; type?: string; sub?: string };
  value?: JsonValue;
}

export class Refused extends Error {
  readonly scimType: string;
  constructor(scimType: string) {
    super(scimType);
    this.scimType = scimType;
  }
}

export function patchByTheRfc(
  resource: JsonObject,
  {
    attributes,
    operations,
    createsAbsent,
  }: { attributes: readonly Described[]; operations: readonly NaiveOperation[]; createsAbsent: boolean },
): JsonObject {
  const work = structuredClone(resource);
  // Which of several errors is named is left open: what no resource could fulfil comes first.
  for (const { op, path } of operations) {
    if (path) find(attributes, path.attribute);
    else if (op === "remove") throw new Refused("noTarget");
  }
  for (const { op, path, value } of operations) {
    if (path) apply(work, { op, described: find(attributes, path.attribute), path, value, createsAbsent });
    // "If omitted, the target location is assumed to be the resource itself. The value parameter contains a set of attributes."
    else
      for (const [name, each] of Object.entries(value as JsonObject)) {
        const described = attributes.find((one) => one.name === name);
        if (described && !described.readOnly) apply(work, { op, described, path: { attribute: name }, value: each, createsAbsent });
      }
  }
  for (const { name, required } of attributes) {
    if (!required || work[name] !== undefined || resource[name] === undefined) continue;
    throw new Refused(operations.some(({ op, path }) => op === "remove" && path?.attribute === name) ? "mutability" : "invalidValue");
  }
  return work;
}

function find(attributes: readonly Described[], name: string): Described {
  const described = attributes.find((one) => one.name === name);
  if (!described) throw new Refused("invalidPath");
  if (described.readOnly) throw new Refused("mutability");
  return described;
}

interface Step {
  op: NaiveOperation["op"];
  described: Described;
  path: NonNullable<NaiveOperation["path"]>;
  value: JsonValue | undefined;
  createsAbsent: boolean;
}

function apply(work: JsonObject, step: Step): void {
  const { described } = step;
  const { name } = described;
  const before = work[name];
  const after =
    described.kind === "single"
      ? single(step)
      : described.kind === "complex"
        ? complex((before ?? {}) as JsonObject, step)
        : described.kind === "list"
          ? list((before ?? []) as JsonValue[], step)
          : records((before ?? []) as JsonObject[], step);
  const empty =
    after === undefined || (Array.isArray(after) ? after.length === 0 : typeof after === "object" && Object.keys(after ?? {}).length === 0);
  if (empty) delete work[name];
  else work[name] = after as JsonValue;
}

/** "If the target location specifies a single-valued attribute, the existing value is replaced"; removed, it is unassigned, and null says the same. */
function single({ op, value }: Step): JsonValue | undefined {
  return op === "remove" || value === null || value === undefined ? undefined : value;
}

/** "If the target location specifies a complex attribute, a set of sub-attributes SHALL be specified"; those not named stay. */
function complex(before: JsonObject, { op, path, value }: Step): JsonObject {
  if (path.sub) return without({ ...before, [path.sub]: op === "remove" ? null : (value ?? null) });
  if (op === "remove" || value === null || value === undefined) return {};
  return without({ ...before, ...(value as JsonObject) });
}

function without(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}

function list(before: JsonValue[], { op, value }: Step): JsonValue[] {
  const given = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  if (op === "replace") return [...new Set(given)];
  if (op === "add") return [...new Set([...before, ...given])];
  // The RFC has no value here: with none all goes, and a list takes those that it names.
  return value === undefined || value === null ? [] : before.filter((one) => !given.some((other) => equal(one, other)));
}

/** The schemas of these cases have no caseExact attribute. */
function equal(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  return typeof left === "string" && typeof right === "string" ? left.toLowerCase() === right.toLowerCase() : left === right;
}

function records(before: JsonObject[], { op, path, value, createsAbsent }: Step): JsonObject[] {
  const { type, sub } = path;
  if (type === undefined && sub === undefined) return wholeRecords(before, { op, value });
  const chosen = (record: JsonObject) => type === undefined || String(record["type"] ?? "").toLowerCase() === type.toLowerCase();
  const clears = op === "remove" || value === null || value === undefined;
  if (clears) {
    // "If the target location is a multi-valued attribute and a complex filter is specified, all values matched are removed";
    // with a sub-attribute, that one of each.
    if (!sub) return before.filter((record) => !chosen(record));
    return fold(before.map((record) => (chosen(record) ? without({ ...record, [sub]: null }) : record)).filter(says));
  }
  const given = (sub ? { [sub]: value } : value) as JsonObject;
  const described: JsonObject = type === undefined ? {} : { type };
  if (!before.some(chosen)) {
    // "If … no record match was made, … a "scimType" error code of "noTarget"": clients that count on more are known.
    if (!createsAbsent) throw new Refused("noTarget");
    const made = { ...described, ...given };
    return fold(takePrimary([...before, made], before.length).filter(says));
  }
  const touched = before.findIndex(chosen);
  const next = before.map((record) =>
    chosen(record) ? (op === "replace" && !sub ? { ...described, ...given } : { ...record, ...given }) : record,
  );
  return fold(takePrimary(next, touched).filter(says));
}

function wholeRecords(before: JsonObject[], { op, value }: { op: NaiveOperation["op"]; value: JsonValue | undefined }): JsonObject[] {
  const given = (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]) as JsonObject[];
  if (op === "replace") return fold(given);
  if (op === "add") {
    const primary = given.some((record) => record["primary"] === true);
    return fold([...(primary ? before.map(demoted) : before), ...fold(given)]);
  }
  if (value === undefined || value === null) return [];
  return before.filter(
    (record) =>
      !given.some((one) => equal(one["value"], record["value"]) && (one["type"] === undefined || equal(one["type"], record["type"]))),
  );
}

/** "The primary attribute value "true" MUST appear no more than once": the one just touched wins. */
function takePrimary(given: JsonObject[], touched: number): JsonObject[] {
  return given[touched]?.["primary"] === true ? given.map((record, at) => (at === touched ? record : demoted(record))) : given;
}

function demoted(record: JsonObject): JsonObject {
  return record["primary"] === true ? { ...record, primary: false } : record;
}

/** A kind of value is not a value yet. */
function says(record: JsonObject): boolean {
  return Object.keys(record).some((name) => name !== "type" && name !== "primary");
}

/** RFC 7643 section 2.4: "Service providers SHOULD NOT return the same (type, value) combination more than once"; one primary at most, the first. */
function fold(given: JsonObject[]): JsonObject[] {
  const kept: JsonObject[] = [];
  for (const record of given) {
    const at = kept.findIndex((one) => same(one, record));
    if (at < 0) kept.push(record);
    else kept[at] = { ...kept[at], ...record, ...(kept[at]?.["primary"] === true ? { primary: true } : {}) };
  }
  const first = kept.findIndex((record) => record["primary"] === true);
  return kept.map((record, at) => (at === first ? record : demoted(record)));
}

function same(left: JsonObject, right: JsonObject): boolean {
  if (left["value"] !== undefined || right["value"] !== undefined)
    return left["value"] === right["value"] && left["type"] === right["type"];
  const rest = ({ primary: _primary, ...others }: JsonObject) => JSON.stringify(Object.entries(others).sort());
  return rest(left) === rest(right);
}
