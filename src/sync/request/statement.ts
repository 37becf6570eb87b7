import { ANY_CONDITION, ANY_RECEIVER } from "../../directory/outbox.ts";

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

/** What every statement about a person's record gives, whether it makes the person or changes it: who acts, the account, the profile's columns. */
export const RECORD = {
  now: "timestamptz",
  actor: "text",
  correlation: "text",
  events: "jsonb",
  accountAttributes: "jsonb",
  hash: "bytea",
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

/** The audit events of a request, in the statement that makes the change; `events` is JSON, `subject` a query of at most one row `id`. */
export function recorded({
  at,
  kind,
  subject,
  more = [],
}: {
  at: Readonly<Record<"now" | "actor" | "correlation" | "events", string>>;
  kind: "person" | "group";
  subject: string;
  /** Queries of further rows (name, reason, data, sealed). */
  more?: readonly string[];
}): string {
  return `recorded as (insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, reason, data, sealed)
    select ${at.now}, e.name, ${at.actor}, '${kind}', subject.id::text, ${at.correlation}, e.reason, e.data, e.sealed
    from (${subject}) subject cross join (
      select name, reason, data, sealed from jsonb_to_recordset(${at.events}) as e (name text, reason text, data jsonb, sealed text)
      ${more.map((query) => `union all ${query}`).join(" ")}) e)`;
}
