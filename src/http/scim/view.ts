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

/** How one client sees the resources of a type, in SQL: what filters, sorting and answers are made of. */
export interface View {
  /** The table, under its alias: `people p`. */
  table: string;
  /** Its id under that alias. */
  id: string;
  /** Joins that `document` and `resource` need. */
  joins: string;
  /** What is there for this client; the deleted is not. */
  visible: string;
  /** The default order: ids begin with the time of their making, so that pages stay put while others create resources. */
  order: string;
  /** jsonb of the attributes as this client sees them, without the computed ones. */
  document: string;
  /** Computed single values, by path (see pathOf). */
  columns: ReadonlyMap<string, Column>;
  /** Computed lists, by path: a query of one jsonb column `element`. */
  collections: ReadonlyMap<string, string>;
  /** Conditions for `eq` that an index answers, by path; each means exactly what the general one would. */
  equals: ReadonlyMap<string, (value: string) => string>;
  /** jsonb of the whole resource; `without` names computed lists (by path) that nobody asked for. */
  resource(without: ReadonlySet<string>): string;
  /** The weak entity tag. */
  version: string;
}

/** A target's path in lower case: `emails.value`, `urn:…:user:employeenumber`. */
export function pathOf({ extension, attribute, sub }: Target): string {
  return `${extension ? `${extension}:` : ""}${attribute.name}${sub ? `.${sub.name}` : ""}`.toLowerCase();
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
