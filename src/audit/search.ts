import type { Condition } from "../access/policy.ts";
import type { Sql } from "../db/database.ts";
import { EVENTS } from "./catalogue.ts";
import type { AuditLine } from "./tail.ts";

export interface AuditFilter {
  /** Only events whose name begins so: `person.`, `plan.held`. */
  name?: string | undefined;
  actor?: string | undefined;
  subjectType?: string | undefined;
  subjectId?: string | undefined;
  correlationId?: string | undefined;
  /** A part of the reason, whatever its case. */
  reason?: string | undefined;
  /** From this instant on. */
  from?: Date | undefined;
  /** Before this instant. */
  to?: Date | undefined;
}

/**
 * Whose events are found. `condition`: of all those that it holds for (on `e`). `subjects`: of those that a query names
 * (`type`, `id`), for readers who reach little of the trail. Parameters are numbered on from what is given.
 */
export type Within = { condition: (from: number) => Condition } | { subjects: (from: number) => Condition };

export const EVERYTHING: Within = { condition: () => ({ text: "true", values: [] }) };

export interface AuditSearch {
  filter: AuditFilter;
  within: Within;
  /** `newest` first, from before the event `after` on; or `oldest` first. */
  order: "newest" | "oldest";
  after?: number | undefined;
  /** No event after this one. */
  upTo?: number | undefined;
  limit: number;
}

/** An event as it is stored. */
export interface StoredEvent extends AuditLine {
  sealed: string | null;
}

const COLUMNS = `e.id, e.at, e.name, e.actor, e.subject_type as "subjectType", e.subject_id as "subjectId", e.correlation_id as "correlationId",
  e.reason, e.data, e.sealed`;

/** Events by id. Each way of asking has its index; only parts of reasons, and what connections did, are looked for one by one. */
export async function searchEvents(sql: Sql, search: AuditSearch): Promise<StoredEvent[]> {
  const { text, values } = statementOf(search);
  return (await sql.query<StoredEvent>(text, values)).rows;
}

/** The names in the catalogue that begin so. */
export function namesBeginning(prefix: string): string[] {
  return Object.keys(EVENTS).filter((name) => name.startsWith(prefix));
}

/** The statement, for what it is to be explained. */
export function statementOf({ filter, within, order, after, upTo, limit }: AuditSearch): Condition {
  const values: unknown[] = [];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const bound = ({ text, values: more }: Condition) => {
    values.push(...more);
    return text;
  };
  const [direction, beyond] = order === "newest" ? ["desc", "<"] : ["asc", ">"];
  const most = `${bind(limit)}::int`;
  const sorted = `order by e.id ${direction} limit ${most}`;
  const names = filter.name === undefined ? undefined : bind(namesBeginning(filter.name));
  const condition = [...conditionsOf(filter, { bind, names }), ...placeOf({ after, upTo, beyond, bind })].join(" and ") || "true";
  if ("subjects" in within) {
    return {
      text: `with subjects as materialized (${bound(within.subjects(values.length + 1))})
        select e.* from subjects s cross join lateral (
          select ${COLUMNS} from audit_events e where e.subject_id = s.id and e.subject_type = s.type and ${condition} ${sorted}) e ${sorted}`,
      values,
    };
  }
  const visible = bound(within.condition(values.length + 1));
  if (filter.subjectId === undefined && filter.correlationId === undefined) {
    // The summaries of time know where a window begins and ends; a walk by id would have to pass all that is newer.
    if (filter.from !== undefined || filter.to !== undefined)
      return {
        text: `with found as materialized (select e.id from audit_events e where ${condition})
          select ${COLUMNS} from (select id from found order by id ${direction} offset 0) found
          cross join lateral (select * from audit_events where id = found.id offset 0) e where ${visible} order by found.id ${direction} limit ${most}`,
        values,
      };
    // Each name has its own walk: one that is rare is not looked for among those that are not.
    if (names !== undefined && filter.actor === undefined)
      return {
        text: `select e.* from unnest(${names}::text[]) as named (name) cross join lateral (
          select ${COLUMNS} from audit_events e where e.name = named.name and ${condition} and ${visible} ${sorted}) e ${sorted}`,
        values,
      };
  }
  return { text: `select ${COLUMNS} from audit_events e where ${condition} and ${visible} ${sorted}`, values };
}

type Bind = (value: unknown) => string;

function conditionsOf(filter: AuditFilter, { bind, names }: { bind: Bind; names: string | undefined }): string[] {
  const { actor, subjectType, subjectId, correlationId, reason, from, to } = filter;
  return [
    ...(names === undefined ? [] : [`e.name = any(${names}::text[])`]),
    // The words of the index, without which it would not be used.
    ...(actor === undefined
      ? []
      : [`e.actor = ${bind(actor)}`, ...(actor.startsWith("connection:") ? [] : ["e.actor not like 'connection:%'"])]),
    ...(subjectType === undefined ? [] : [`e.subject_type = ${bind(subjectType)}`]),
    ...(subjectId === undefined ? [] : [`e.subject_id = ${bind(subjectId)}`]),
    ...(correlationId === undefined ? [] : [`e.correlation_id = ${bind(correlationId)}`]),
    ...(reason === undefined ? [] : [`position(lower(${bind(reason)}::text) in lower(e.reason)) > 0`]),
    ...(from === undefined ? [] : [`e.at >= ${bind(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`e.at < ${bind(to)}::timestamptz`]),
  ];
}

interface Place {
  after: number | undefined;
  upTo: number | undefined;
  beyond: string | undefined;
  bind: Bind;
}

function placeOf({ after, upTo, beyond, bind }: Place): string[] {
  return [
    ...(after === undefined ? [] : [`e.id ${beyond} ${bind(after)}::bigint`]),
    ...(upTo === undefined ? [] : [`e.id <= ${bind(upTo)}::bigint`]),
  ];
}

/** The id of the newest event; 0 when there is none. */
export async function newestEvent(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ id: number | null }>("select max(id) as id from audit_events");
  return rows[0]?.id ?? 0;
}
