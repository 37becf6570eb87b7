import { ANY_CONDITION, ANY_RECEIVER, markedPeople, wokenProjects } from "../../directory/outbox.ts";

/** Conditions, as SQL: whether anybody follows what changes here. A statement that decided without them asks again. */
export const FOLLOWERS = {
  /** A target, or a source that is written back to. */
  receivers: ANY_RECEIVER,
  /** A rule with a condition on people. */
  conditions: ANY_CONDITION,
} as const;

/** What the look at a record found of those who follow. */
export interface Followers {
  receivers: boolean;
  conditions: boolean;
}

/** A condition that holds while nobody has begun to follow, or ceased to, since the look. */
export function sameFollowers({ receivers }: { receivers: boolean }): string {
  return `${receivers ? FOLLOWERS.receivers : `not ${FOLLOWERS.receivers}`} and not ${FOLLOWERS.conditions}`;
}

/**
 * One statement's parameters by name. Their types are said once, in a table expression that nobody reads, so that one
 * list of values serves every variant of a statement whether the variant uses all of them or not.
 */
export interface Given<Name extends string> {
  /** `$3::uuid` and so on. */
  at: Readonly<Record<Name, string>>;
  /** The table expression, the first of the statement. */
  types: string;
  values(of: Readonly<Record<Name, unknown>>): unknown[];
}

export function given<Name extends string>(types: Readonly<Record<Name, string>>): Given<Name> {
  const names = Object.keys(types) as Name[];
  const placeholder = (name: Name, index: number) => `$${index + 1}::${types[name]}`;
  return {
    at: Object.fromEntries(names.map((name, index) => [name, placeholder(name, index)])) as Record<Name, string>,
    types: `given as (select ${names.map(placeholder).join(", ")})`,
    values: (of) => names.map((name) => of[name]),
  };
}

/** Records that one statement writes together. They come as one JSON array, its only parameter. */
export interface GivenRecords<Name extends string> {
  /** The table expression `given`, the first of the statement: a row for each record, with its number as `place`. */
  rows: string;
  /** A record's values as SQL, from `given` or from a table expression that has all its columns. */
  of(alias: string): Readonly<Record<Name | "place", string>>;
  value(records: readonly Readonly<Record<Name, unknown>>[]): string;
}

export function givenRecords<Name extends string>(types: Readonly<Record<Name, string>>): GivenRecords<Name> {
  const names = Object.keys(types) as Name[];
  const columns = names.map((name) => `"${name}" ${types[name]}`);
  return {
    rows: `given as materialized (select * from jsonb_to_recordset($1::jsonb) as record (place int, ${columns.join(", ")}))`,
    of: (alias) => Object.fromEntries(["place", ...names].map((name) => [name, `${alias}."${name}"`])) as Record<Name | "place", string>,
    value: (records) => JSON.stringify(records.map((record, place) => ({ ...record, place }))),
  };
}

/** What every statement about people's records gives, whether it makes people or changes them: who acts, the account, the profile's columns. */
export const RECORD = {
  person: "uuid",
  connection: "int",
  now: "timestamptz",
  actor: "text",
  correlation: "text",
  events: "jsonb",
  accountAttributes: "jsonb",
  hash: "text",
  mappingVersion: "int",
  mapped: "jsonb",
  userName: "citext",
  email: "citext",
  employeeNumber: "text",
  externalId: "text",
  displayName: "text",
  attributes: "jsonb",
  custom: "jsonb",
  mastery: "jsonb",
  managerReference: "text",
  managerConnection: "int",
} as const;

/** An audit event about the record's subject, before it is a row. */
export interface RequestEvent {
  name: string;
  reason: string;
  data: Readonly<Record<string, unknown>>;
  sealed?: string | undefined;
}

/**
 * The audit events of people's records, in the statement that makes the change: those that each row of the table expression `of` brings,
 * and `more`, queries of further rows (name, reason, data, sealed), which may name the row as `r`.
 */
export function recorded({ of, more = [] }: { of: string; more?: readonly string[] }): string {
  return `recorded as (insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data, sealed)
    select r.now, e.name, r.actor, 'person', r.person::text, r.correlation, e.reason, e.data, e.sealed
    from ${of} r cross join lateral (
      select name, reason, data, sealed from jsonb_to_recordset(r.events) as e (name text, reason text, data jsonb, sealed text)
      ${more.map((query) => `union all ${query}`).join(" ")}) e)`;
}

/**
 * The people of the table expression `of` become dirty for whoever receives them, each as of its own time; see markedPeople. `woken` is a
 * column that wakes the jobs once, in the name of the first request.
 */
export function marked(of: string): { parts: string; woken: string } {
  return {
    parts: `changed_people as (select person as id, null::timestamptz as source_changed_at, now as seen_at from ${of}), ${markedPeople({ now: "seen_at", decided: "seen_at" })}`,
    woken: `(select count(job) from (${wokenProjects({ marked: ["marked_people"], correlation: "(select correlation from given where place = 0)" })}) woken) as woken`,
  };
}
