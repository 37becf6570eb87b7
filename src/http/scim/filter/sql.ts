import type { Target } from "../schema.ts";
import { likePart, literal, pathOf, type Column, type Narrowing, type Parameters, type View } from "../view.ts";
import { isAssumedFalse, leafOf, type Comparison, type Filter } from "./ast.ts";

export interface FilterSqlOptions {
  view: View;
  parameters: Parameters;
}

/**
 * A filter as a condition over a view, null where it is not true for want of a value: only before a `not` is that made false,
 * because an index does not see through it. Every value of the client's is a parameter.
 */
export function filterSql(filter: Filter, { view, parameters }: FilterSqlOptions): string {
  const add = (value: unknown) => parameters.add(value);
  const equality = ({ target, operator, value }: Comparing) =>
    operator === "eq" && typeof value === "string" ? view.equals.get(pathOf(target))?.(value) : undefined;
  const narrowing = ({ target, operator, value }: Comparing) =>
    isNarrowing(operator) && typeof value === "string" ? view.narrows?.get(pathOf(target))?.({ operator, value }) : undefined;
  const top: Subject = {
    column: (target) => view.columns.get(pathOf(target)),
    elements: (target) => elementsOf(target, view),
    value: (target) => `${holder(target, view)}->${literal(target.attribute.name)}`,
  };
  const compile = (part: Filter, subject: Subject, depth: number): string => {
    switch (part.kind) {
      case "and":
      case "or":
        return `(${part.filters.map((inner) => compile(inner, subject, depth)).join(` ${part.kind} `)})`;
      case "not":
        return `not coalesce(${compile(part.filter, subject, depth)}, false)`;
      case "present":
        return presence(part.target, { subject, depth });
      case "compare": {
        if (subject !== top) return comparison(part, { subject, depth, add });
        const indexed = equality(part);
        if (indexed) return indexed;
        const narrowed = narrowing(part);
        const exact = comparison(part, { subject, depth, add });
        return narrowed ? `(${narrowed} and ${exact})` : exact;
      }
      case "some": {
        const { target, filter: inner } = part;
        if (subject === top && top.column(target)) return compile(inner, computedSubject(target, top), depth);
        const onTop = (compare: Comparing) => ({ ...compare, target: { ...target, sub: compare.target.attribute } });
        const whole = inner.kind === "compare" ? equality(onTop(inner)) : undefined;
        if (whole) return whole;
        const indexed = comparisonsOf(inner).flatMap((compare) => equality(onTop(compare)) ?? narrowing(onTop(compare)) ?? []);
        const exact = someElement(target, { subject, depth, condition: (element) => compile(inner, elementSubject(element), depth + 1) });
        // An index finds the few that may be meant; which of them are, the elements say.
        return indexed.length ? `(${[...indexed, exact].join(" and ")})` : exact;
      }
    }
  };
  return compile(filter, top, 0);
}

/** Comparisons that any element satisfying the filter must meet. */
function comparisonsOf(filter: Filter): Comparing[] {
  if (filter.kind === "compare") return [filter];
  return filter.kind === "and" ? filter.filters.flatMap(comparisonsOf) : [];
}

function isNarrowing(operator: Comparison): operator is Narrowing["operator"] {
  return operator === "eq" || operator === "co" || operator === "sw" || operator === "ew";
}

/** Where a condition's values come from: the whole resource, or one element of a list. */
interface Subject {
  column(target: Target): Column | undefined;
  elements(target: Target): string;
  /** jsonb of an attribute. */
  value(target: Target): string;
}

function elementSubject(element: string): Subject {
  const value = ({ attribute }: Target) => `${element}->${literal(attribute.name)}`;
  return { column: () => undefined, elements: (target) => unnested(value(target)), value };
}

/** The one value of an attribute that is computed as a whole, such as `meta`: what is in it are columns, not a document's. */
function computedSubject(whole: Target, top: Subject): Subject {
  return { ...top, column: ({ attribute }) => top.column({ ...whole, sub: attribute }) };
}

function holder({ extension }: Target, view: View): string {
  return extension ? `(${view.document}->${literal(extension)})` : view.document;
}

function elementsOf(target: Target, view: View): string {
  const { sub: _, ...whole } = target;
  return view.collections.get(pathOf(whole)) ?? unnested(`${holder(target, view)}->${literal(target.attribute.name)}`);
}

function unnested(list: string): string {
  return `select * from jsonb_array_elements(case jsonb_typeof(${list}) when 'array' then ${list} else '[]'::jsonb end) as t (element)`;
}

interface Place {
  subject: Subject;
  depth: number;
}

/** `condition` for at least one element of the target's attribute; a single value is a list of one. */
function someElement(target: Target, { subject, depth, condition }: Place & { condition: (element: string) => string }): string {
  if (target.attribute.multiValued) {
    const alias = `e${depth}`;
    return `exists (select 1 from (${subject.elements(target)}) as ${alias} (element) where ${condition(`${alias}.element`)})`;
  }
  const value = `(${subject.value(target)})`;
  return `(coalesce(jsonb_typeof(${value}) = 'object', false) and ${condition(value)})`;
}

const UNASSIGNED = `('{}'::jsonb, '[]'::jsonb, '""'::jsonb, 'null'::jsonb)`;

function presence(target: Target, { subject, depth }: Place): string {
  const column = subject.column(target);
  if (column) return `(${column.sql} is not null)`;
  const isThere = (json: string) => `coalesce(${json} not in ${UNASSIGNED}, false)`;
  const { sub } = target;
  if (!target.attribute.multiValued) return isThere(`(${subject.value(target)}${sub ? `->${literal(sub.name)}` : ""})`);
  return someElement(target, { subject, depth, condition: (element) => isThere(sub ? `(${element}->${literal(sub.name)})` : element) });
}

type Comparing = Extract<Filter, { kind: "compare" }>;

function comparison({ target, operator, value }: Comparing, { subject, depth, add }: Place & { add: (value: unknown) => string }): string {
  if (value === null) return operator === "eq" ? `not ${presence(target, { subject, depth })}` : presence(target, { subject, depth });
  const placeholder = add(operator === "co" || operator === "sw" || operator === "ew" ? likePart(String(value)) : value);
  const test = (column: Column, by: Comparison) => comparing({ column, caseExact: leafOf(target).caseExact, operator: by, placeholder });
  const testNot = (column: Column) => `not coalesce(${test(column, "eq")}, false)`;
  const column = subject.column(target);
  if (column) return operator === "ne" ? testNot(column) : test(column, operator);
  const { attribute, sub } = target;
  if (!attribute.multiValued) {
    const held = comparedColumn(target, sub ? `(${subject.value(target)})->>${literal(sub.name)}` : `(${subject.value(target)})#>>'{}'`);
    return operator === "ne" ? testNot(held) : test(held, operator);
  }
  const held = (element: string) => comparedColumn(target, sub ? `${element}->>${literal(sub.name)}` : `${element}#>>'{}'`);
  if (operator !== "ne") return someElement(target, { subject, depth, condition: (element) => test(held(element), operator) });
  const differs = someElement(target, {
    subject,
    depth,
    condition: (element) => `(${held(element).sql} is not null and ${testNot(held(element))})`,
  });
  const isThere = isAssumedFalse(target)
    ? someElement(target, { subject, depth, condition: () => "true" })
    : presence(target, { subject, depth });
  return `(not ${isThere} or ${differs})`;
}

/** What a comparison is about: with what is assumed where nothing is said. */
function comparedColumn(target: Target, text: string): Column {
  const held = leafColumn(target, text);
  return isAssumedFalse(target) ? { ...held, sql: `coalesce(${held.sql}, false)` } : held;
}

/** An attribute's text in the type that it is compared in; what does not fit is null. */
export function leafColumn(target: Target, text: string): Column {
  const held = `nullif(${text}, '')`;
  switch (leafOf(target).type) {
    case "boolean":
      return { type: "boolean", sql: `(lower(${held}) = 'true')` };
    case "integer":
    case "decimal":
      return { type: "number", sql: `(case when ${held} ~ '^-?[0-9.]+([eE][+-]?[0-9]+)?$' then (${held})::numeric end)` };
    case "dateTime":
      return { type: "instant", sql: `(case when ${held} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T' then (${held})::timestamptz end)` };
    default:
      return { type: "text", sql: held };
  }
}

const SIGNS = { eq: "=", ne: "<>", gt: ">", ge: ">=", lt: "<", le: "<=" } as const;

function comparing({
  column,
  caseExact,
  operator,
  placeholder,
}: {
  column: Column;
  caseExact: boolean;
  operator: Comparison;
  placeholder: string;
}): string {
  const { sql, type } = column;
  if (type === "instant") return comparingInstants(sql, { operator, placeholder: `${placeholder}::timestamptz` });
  if (type === "boolean") return `${sql} = ${placeholder}::boolean`;
  if (type === "number") return `${sql} ${SIGNS[operator as keyof typeof SIGNS]} ${placeholder}::numeric`;
  const left = caseExact ? sql : `lower(${sql})`;
  const right = caseExact ? `${placeholder}::text` : `lower(${placeholder}::text)`;
  switch (operator) {
    case "co":
      return `${left} like '%' || ${right} || '%'`;
    case "sw":
      return `${left} like ${right} || '%'`;
    case "ew":
      return `${left} like '%' || ${right}`;
    case "eq":
      return `${left} = ${right}`;
    default:
      return `${left} collate "C" ${SIGNS[operator]} ${right}`;
  }
}

const FIRST = "'-infinity'::timestamptz";
const LAST = "'infinity'::timestamptz";

/**
 * We show milliseconds and may hold microseconds: compare what is shown, yet leave the column bare for its index. Both ends
 * are named, because a plan made before the values are known takes an open end for a third of the table, and reads all of it.
 */
function comparingInstants(sql: string, { operator, placeholder }: { operator: Comparison; placeholder: string }): string {
  const after = `${placeholder} + interval '1 millisecond'`;
  switch (operator) {
    case "gt":
      return `(${sql} >= ${after} and ${sql} < ${LAST})`;
    case "ge":
      return `(${sql} >= ${placeholder} and ${sql} < ${LAST})`;
    case "lt":
      return `(${sql} < ${placeholder} and ${sql} > ${FIRST})`;
    case "le":
      return `(${sql} < ${after} and ${sql} > ${FIRST})`;
    default:
      return `(${sql} >= ${placeholder} and ${sql} < ${after})`;
  }
}
