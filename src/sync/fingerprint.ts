import { hash } from "node:crypto";
import type { AttributeValue, SourceRecord } from "../../connectors/contract.ts";

/**
 * SHA-256 over what a record says: attributes, reference, parent and members, whatever their order.
 * `changedAt` is left out: a touched record that says the same is unchanged.
 */
export function fingerprint(record: SourceRecord): Buffer {
  return fingerprintOf(canonical(record));
}

export function fingerprintOf(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

/** The record as text that is the same whenever it says the same. */
export function canonical(record: SourceRecord): string {
  const members = record.members && "set" in record.members ? record.members.set.toSorted() : undefined;
  return JSON.stringify([record.nativeId, record.reference, record.parent, sorted(record.attributes), members]);
}

/** SHA-256 over a set of strings, hexadecimal. */
export function fingerprintOfSet(members: readonly string[]): string {
  return hash("sha256", members.toSorted().join("\n"), "hex");
}

function sorted(value: AttributeValue | undefined): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const object = value as Readonly<Record<string, AttributeValue | undefined>>;
  const names = sortedNames(Object.keys(object));
  const flat: unknown[] = [];
  for (const name of names) flat.push(name, sorted(object[name]));
  return flat;
}

let lastNames: { given: readonly string[]; sorted: readonly string[] } = { given: [], sorted: [] };

/** Records of one source mostly have the same attributes in the same order: they are sorted once. */
function sortedNames(given: readonly string[]): readonly string[] {
  if (given.length !== lastNames.given.length || given.some((name, place) => name !== lastNames.given[place]))
    lastNames = { given, sorted: given.toSorted() };
  return lastNames.sorted;
}
