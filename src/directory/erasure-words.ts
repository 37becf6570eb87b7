import type { AttributeValue } from "../../connectors/contract.ts";
import { isObject } from "./attributes.ts";

/** What stands where a person's name or address stood. */
export const ERASED = "[erased]";

/** What somebody is called by in texts that others wrote. */
export interface PersonWords {
  /** Names people by themselves: addresses, logins, numbers, whole names. */
  telling: readonly string[];
  /** Tell only in what is about the person anyway: a given name, a number. */
  all: readonly string[];
  /** The same with the parts of whole names: for what people typed about the person, where no key or code can be meant. */
  typed: readonly string[];
}

const WHOLE = ["displayName", "name.formatted"];
const NAMING = ["userName", "displayName", "nickName", "externalId", "employeeNumber"];
const FEWEST_LETTERS = 3;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Gathers from profiles, the person's and those of accounts, what somebody is called by. Pure. */
export function wordsOf(profiles: readonly AttributeValue[]): PersonWords {
  const [words, parts] = [new Set<string>(), new Set<string>()];
  for (const profile of profiles) gather(profile, { into: words, parts, key: "" });
  // An id names nobody, and the trail lives on ids.
  const sorted = (each: Iterable<string>) =>
    [...each].filter((word) => word.length >= FEWEST_LETTERS && !UUID.test(word)).toSorted((first, second) => second.length - first.length);
  const all = sorted(words);
  return { telling: all.filter(isTelling), all, typed: sorted(new Set([...words, ...parts])) };
}

interface Gathered {
  into: Set<string>;
  parts: Set<string>;
  key: string;
}

function gather(value: AttributeValue | undefined, { into, parts, key }: Gathered): void {
  if (typeof value === "string") {
    if (NAMING.includes(key) || key.startsWith("name.") || /@|^\+?[\d\s()./-]{6,}$/.test(value)) into.add(value.trim());
    if (WHOLE.includes(key)) for (const part of value.split(/[\s,]+/u)) parts.add(part);
  } else if (Array.isArray(value)) {
    for (const each of value as readonly AttributeValue[]) gather(each, { into, parts, key });
  } else if (isObject(value)) {
    const [given, family] = [value["givenName"], value["familyName"]];
    // So others write it, whatever the profile displays.
    if (key === "name" && typeof given === "string" && typeof family === "string") into.add(`${given.trim()} ${family.trim()}`);
    for (const [name, each] of Object.entries(value)) gather(each, { into, parts, key: key === "name" ? `name.${name}` : name });
  }
}

function isTelling(word: string): boolean {
  const digits = word.replaceAll(/\D/g, "").length;
  const letters = /\p{L}/u.test(word);
  return word.includes("@") || (letters ? word.length >= 6 && (/\p{L}\s+\p{L}/u.test(word) || digits >= 2) : digits >= 6);
}

/** A pattern that finds any of the words, whole and in whatever case; undefined for none. */
export function patternOf(words: readonly string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  const escaped = words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
}

/** A document with the words taken out of its texts. Pure; the same document when nothing was found. */
export function withoutWords(value: unknown, pattern: RegExp): unknown {
  if (typeof value === "string") return value.replaceAll(pattern, ERASED);
  if (Array.isArray(value)) return value.map((each) => withoutWords(each, pattern));
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutWords(each, pattern)]));
}
