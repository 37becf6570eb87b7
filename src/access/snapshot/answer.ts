import type { Sql } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import { allowedUntil } from "./decide.ts";
import type { View } from "./feed.ts";
import type { Tables } from "./tables.ts";

export interface Question {
  /** Id or user name. */
  person: string;
  /** `module.resource.action` */
  permission: string;
  /** Id or code. */
  unit: string;
}

/** Whether the person may; `until` is when that ends by itself as things stand, null = never. Or why there is no answer. */
export type Answer =
  { allowed: true; until: Date | null } | { allowed: false } | { error: "forbidden" | "unknown_person" | "unknown_unit" };

export interface AskOptions {
  at: Date;
  /** Whether this unit, by its number, may be asked about; null = all there are. */
  within: ((unit: number) => boolean) | null;
  /** Whether who asks may know everybody there is: only they are told that somebody is not there. Yes when absent. */
  knowsPeople?: boolean;
  /** See `foldedNames`. */
  folded?: ReadonlyMap<string, string> | undefined;
}

/** Answers from memory, in the order of the questions. Throws `unavailable` when the clock stands before what was read. */
export function answerAll(view: View, questions: readonly Question[], { at, within, knowsPeople = true, folded }: AskOptions): Answer[] {
  if (at < view.since)
    throw new AppError("unavailable", "The clock was set back; access is being read anew. Ask again soon.", { retryAfter: 1 });
  const { tables } = view;
  const instant = at.getTime() * 1000;
  return questions.map((question) => answer(tables, question, { at: instant, within, knowsPeople, folded }));
}

interface Asking {
  at: number;
  within: AskOptions["within"];
  knowsPeople: boolean;
  folded: AskOptions["folded"];
}

function answer(tables: Tables, { person, permission, unit }: Question, { at, within, knowsPeople, folded }: Asking): Answer {
  const unitNumber = unitOf(tables, { key: unit, folded });
  const there = unitNumber !== undefined && tables.units.endOf(unitNumber) > at;
  // Who is narrowed learns nothing of what lies elsewhere, not even whether it is there.
  if (within && !(there && within(unitNumber))) return { error: "forbidden" };
  if (!there) return { error: "unknown_unit" };
  const personNumber = personOf(tables, { key: person, folded });
  if (personNumber === undefined) return within || !knowsPeople ? { allowed: false } : { error: "unknown_person" };
  const permissionNumber = tables.roles.permissions.get(permission);
  if (permissionNumber === undefined) return { allowed: false };
  const until = allowedUntil(tables, { person: personNumber, permission: permissionNumber, unit: unitNumber, at });
  if (until <= at) return { allowed: false };
  return { allowed: true, until: until === Infinity ? null : new Date(Math.floor(until / 1000)) };
}

interface Named {
  key: string;
  folded: AskOptions["folded"];
}

function personOf({ people }: Tables, { key, folded }: Named): number | undefined {
  const byId = people.numbering.find(key) ?? people.numbering.find(key.toLowerCase());
  return byId !== undefined && people.isThere(byId) ? byId : people.names.get(folded?.get(key) ?? key.toLowerCase());
}

function unitOf({ units }: Tables, { key, folded }: Named): number | undefined {
  return units.numbering.find(key) ?? units.numbering.find(key.toLowerCase()) ?? units.codes.get(folded?.get(key) ?? key.toLowerCase());
}

const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Names and codes with letters beyond ASCII, in the lower case of the database, which differs from JavaScript's by its locale.
 * Undefined when there are none: then the database is not asked.
 */
export async function foldedNames(sql: Sql, questions: readonly Question[]): Promise<ReadonlyMap<string, string> | undefined> {
  const names = [...new Set(questions.flatMap(({ person, unit }) => [person, unit].filter((name) => !PLAIN.test(name))))];
  if (names.length === 0) return undefined;
  const { rows } = await sql.query<{ name: string; folded: string }>(
    "select name, lower(name) as folded from unnest($1::text[]) as given (name)",
    [names],
  );
  return new Map(rows.map(({ name, folded }) => [name, folded]));
}
