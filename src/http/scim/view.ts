import type { PersonReader } from "./person-client.ts";
import type { Target } from "./schema.ts";

/** Values of one statement: `add` returns the placeholder. */
export interface Parameters {
  readonly values: unknown[];
  add(value: unknown): string;
}

export function parameters(): Parameters {
  const values: unknown[] = [];
  return { values, add: (value) => `$${values.push(value)}` };
}

export type ColumnType = "text" | "boolean" | "instant" | "number";

export interface Column {
  sql: string;
  type: ColumnType;
}

/** Whether a client reads the whole directory, or only what its own connection has an account for. */
export type Visibility = "directory" | "own";

export interface ViewOptions {
  parameters: Parameters;
  /** The client's connection: it reads back what it wrote. */
  connectionId: number;
  /** Where this door stands, for references: `https://host/scim/v2`. */
  base: string;
  /** `directory` when absent. */
  visibility?: Visibility;
  /** The person from whom some of the organisation's own attributes are kept back. */
  reader?: PersonReader | undefined;
}

/** A condition of the client's that an index may help with. */
export interface Narrowing {
  operator: "eq" | "co" | "sw" | "ew";
  value: string;
}

/** How one client sees the resources of a type, in SQL: what filters, sorting and answers are made of. */
export interface View {
  /** The table, under its alias: `people p`. */
  table: string;
  /** Its id under that alias. */
  id: string;
  /** Joins that everything below needs, `unjoined` excepted. */
  joins: string;
  /** What is there for this client; the deleted is not. */
  visible: string;
  /** For lists of all: the same as `visible` without the joins, and the number of such resources where it need not be counted. */
  unjoined?: { visible: string; total?: string };
  /** jsonb of the attributes as this client sees them, without the computed ones. */
  document: string;
  /** Computed single values, by path (see pathOf). */
  columns: ReadonlyMap<string, Column>;
  /** Computed lists, by path: a query of one jsonb column `element`. */
  collections: ReadonlyMap<string, string>;
  /** Those of them that only come when they are named, with a short name each. */
  onRequest?: ReadonlyMap<string, string>;
  /** Conditions for `eq` that an index answers, by path; each means exactly what the general one would. */
  equals: ReadonlyMap<string, (value: string) => string>;
  /** Conditions that an index answers and that hold wherever the general one does, by path; undefined where no index helps. */
  narrows?: ReadonlyMap<string, (narrowing: Narrowing) => string | undefined>;
  /**
   * JSON text (or jsonb) of the whole resource; `without` names computed lists (by path) that nobody asked for.
   * With `sparing` the one that is lengthy is left out where it is long.
   */
  resource(without: ReadonlySet<string>, options?: { sparing: boolean }): string;
  /** The same for a page of many, with what they have in common gathered once for all of them; undefined where that is nothing. */
  gathered?(without: ReadonlySet<string>): Gathered | undefined;
  /** A computed list that may be too long for one value. */
  lengthy?: Lengthy;
  /** The weak entity tag. */
  version: string;
  /** A computed list that may change while the version stands still, and a condition that it may have done so since the version began. */
  drifts?: { path: string; since: string };
}

export interface Gathered {
  /** Table expressions, to follow one called `page` that has the resources' ids as `id`. */
  tables: string;
  /** Joins of these to `page`, which the text needs. */
  joins: string;
  /** As View.resource. */
  resource: string;
}

export interface Lengthy {
  /** The list's path; its name is the same. */
  path: string;
  /** A join that says whether it is long, as `lengthy.is_long`; a resource's text that spares it needs this. */
  join: string;
  /** A query of one column `text`: the JSON texts of some of the list's elements, with commas between. Each element is in one row. */
  portions(): string;
}

/** A target's path in lower case: `emails.value`, `urn:…:user:employeenumber`. */
export function pathOf({ extension, attribute, sub }: Target): string {
  return `${extension ? `${extension}:` : ""}${attribute.name}${sub ? `.${sub.name}` : ""}`.toLowerCase();
}

/** A parameter that is given only where it is used: PostgreSQL refuses one that no statement names. */
export function whenUsed(given: Parameters, { value, type }: { value: unknown; type: string }): () => string {
  let placeholder: string | undefined;
  return () => (placeholder ??= `${given.add(value)}::${type}`);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A constant of our own in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** RFC 3339 in UTC with milliseconds, as Date's toISOString. */
export function isoInstant(sql: string): string {
  return `to_char(${sql} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** What holds now, of a table with valid and recorded time. */
export function isOpen(alias: string): string {
  return `${alias}.recorded_to is null and ${alias}.valid_to is null`;
}

/**
 * SQL of a text made of parts, each SQL itself; what is null is left out. One call instead of a chain of `||`, each of which
 * copies; and constants that follow each other are one, since a call costs by its arguments.
 */
export function textOf(...parts: readonly string[]): string {
  const joined: string[] = [];
  for (const part of parts) {
    const before = joined.at(-1);
    if (before !== undefined && CONSTANT.test(before) && CONSTANT.test(part))
      joined[joined.length - 1] = before.slice(0, -1) + part.slice(1);
    else joined.push(part);
  }
  return `concat(${joined.join(", ")})`;
}

const CONSTANT = /^'(?:[^']|'')*'$/;

/** SQL parts of a JSON object's text, of member names and the parts of their values' texts, which are JSON already. */
export function jsonParts(members: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(members)
    .flatMap(([name, parts], at) => [`'${at ? "," : "{"}"${name}":'`, ...parts])
    .concat(`'}'`);
}

/** SQL parts of a JSON string's text, of SQL whose texts need no escaping. */
export function stringParts(...parts: readonly string[]): string[] {
  return [`'"'`, ...parts, `'"'`];
}

/** SQL parts of what follows the computed members in a resource's text: the document's own members and the closing brace. Written out once. */
export function remainderParts(document: string): string[] {
  return [
    // Of several ways to leave out the first letter this one alone does not count all the others.
    `(select case rest when '{}' then '}' else concat(',', right(rest, -1)) end from (select (${document})::text as rest offset 0) remainder)`,
  ];
}

/** LIKE's own signs in a client's text stand for themselves. */
export function likePart(text: string): string {
  return text.replace(/[\\%_]/g, "\\$&");
}
