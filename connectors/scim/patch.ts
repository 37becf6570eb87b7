import type { AttributeObject, AttributeValue } from "../contract.ts";

/** RFC 7644 section 3.5.2. */
export interface PatchOperation {
  op: "add" | "replace" | "remove";
  path: string;
  value?: unknown;
}

/** Never part of a change: the application's own, or changed in another way. */
const NOT_OURS: ReadonlySet<string> = new Set(["id", "meta", "schemas", "active", "groups", "members"]);

/**
 * The operations that lead from `before` to `after`: one per attribute that differs, each with its path, because what
 * applications do with a value without path differs (lists are appended to, siblings dropped). Lists are replaced whole.
 */
export function patchOperations(before: AttributeObject, after: AttributeObject): PatchOperation[] {
  const operations: PatchOperation[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (NOT_OURS.has(name)) continue;
    const was = before[name];
    const wanted = after[name];
    if (isComplex(wanted) && (isComplex(was) || was === undefined || was === null)) {
      operations.push(...subOperations({ name, was: was ?? {}, wanted }));
    } else operations.push(...operation({ path: name, was, wanted }));
  }
  return operations;
}

/** `name.givenName`; below a schema's URN `urn:…:User:department`. */
function subOperations({ name, was, wanted }: { name: string; was: AttributeObject; wanted: AttributeObject }): PatchOperation[] {
  const separator = name.startsWith("urn:") ? ":" : ".";
  return [...new Set([...Object.keys(was), ...Object.keys(wanted)])].flatMap((sub) =>
    operation({ path: `${name}${separator}${sub}`, was: was[sub], wanted: wanted[sub] }),
  );
}

function operation({
  path,
  was,
  wanted,
}: {
  path: string;
  was: AttributeValue | undefined;
  wanted: AttributeValue | undefined;
}): PatchOperation[] {
  if (isEmpty(wanted)) return isEmpty(was) ? [] : [{ op: "remove", path }];
  return same(was, wanted) ? [] : [{ op: "replace", path, value: wanted }];
}

/** The resource that a PUT must send: everything the application holds, with our change made. */
export function replaced(
  current: AttributeObject,
  { before, after }: { before: AttributeObject; after: AttributeObject },
): AttributeObject {
  const result: Record<string, AttributeValue | undefined> = { ...current };
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (NOT_OURS.has(name)) continue;
    const was = before[name];
    const wanted = after[name];
    const held = current[name];
    if (isEmpty(wanted)) delete result[name];
    else if (isComplex(wanted)) result[name] = mergedComplex({ held: isComplex(held) ? held : {}, was: isComplex(was) ? was : {}, wanted });
    else result[name] = wanted;
  }
  delete result["meta"];
  return result;
}

function mergedComplex({ held, was, wanted }: { held: AttributeObject; was: AttributeObject; wanted: AttributeObject }): AttributeObject {
  const kept = Object.entries(held).filter(([sub]) => !(sub in was) || sub in wanted);
  return { ...Object.fromEntries(kept), ...wanted };
}

/** What of `current` we speak of in `wanted`: the starting point for an account whose past deliveries we don't know. */
export function limitedTo(current: AttributeObject, wanted: AttributeObject): AttributeObject {
  return Object.fromEntries(
    Object.entries(wanted).map(([name, value]) => {
      const held = current[name];
      return [name, isComplex(value) && isComplex(held) ? Object.fromEntries(Object.keys(value).map((sub) => [sub, held[sub]])) : held];
    }),
  );
}

function isComplex(value: AttributeValue | undefined): value is AttributeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: AttributeValue | undefined): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

/** Same JSON, whatever the order of keys. */
function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => same((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]));
}
