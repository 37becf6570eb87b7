import { leafOf } from "./filter/ast.ts";
import { leafColumn } from "./filter/sql.ts";
import type { Target } from "./schema.ts";
import { literal, pathOf, type ColumnType, type View } from "./view.ts";

export interface Sort {
  target: Target;
  descending: boolean;
}

/** What resources are put in order by. */
export interface SortKey {
  /** Null for a resource without a value: those come last, first when descending. */
  sql: string;
  /** The type that a value of it is compared in. */
  type: "text" | "boolean" | "timestamptz" | "numeric";
  /** Whether it stands in the table itself, in an index that ends with the id: then pages need not be sorted. */
  indexed: boolean;
}

const TYPES = { text: "text", boolean: "boolean", instant: "timestamptz", number: "numeric" } as const satisfies Record<
  ColumnType,
  SortKey["type"]
>;

/** Columns with an index of (column, id). */
const INDEXED: ReadonlySet<string> = new Set(["p.modified_at", "g.modified_at"]);

/**
 * The key of a sort (RFC 7644 section 3.4.2.3): texts without case unless the schema says otherwise; of a list its
 * primary element, else the first. Of equals the id decides.
 */
export function sortKey(target: Target, view: View): SortKey {
  const leaf = leafOf(target);
  const column = view.columns.get(pathOf(target)) ?? leafColumn(target, `(${leafText(target, view)})`);
  const sql = column.type !== "text" ? column.sql : leaf.caseExact ? `(${column.sql}) collate "C"` : `lower(${column.sql})`;
  return { sql, type: TYPES[column.type], indexed: INDEXED.has(column.sql) };
}

function leafText(target: Target, view: View): string {
  const { extension, attribute, sub } = target;
  const holder = extension ? `(${view.document}->${literal(extension)})` : view.document;
  const value = `(${holder}->${literal(attribute.name)})`;
  const text = (element: string) => `nullif(${sub ? `${element}->>${literal(sub.name)}` : `${element}#>>'{}'`}, '')`;
  if (!attribute.multiValued) return text(value);
  const collection = view.collections.get(pathOf(extension ? { extension, attribute } : { attribute }));
  return collection
    ? `select ${text("s.element")} from (${collection}) as s (element) order by 1 limit 1`
    : `select ${text("s.element")} from jsonb_array_elements(case jsonb_typeof(${value}) when 'array' then ${value} else '[]'::jsonb end) with ordinality as s (element, position)
        order by coalesce(s.element->>'primary' = 'true', false) desc, s.position limit 1`;
}
