import { leafOf } from "./filter/ast.ts";
import type { Target } from "./schema.ts";
import { literal, pathOf, type View } from "./view.ts";

/**
 * `order by` for a sort (RFC 7644 section 3.4.2.3): texts without case unless the schema says otherwise; of a list its
 * primary element, else the first; resources without a value last, first when descending. The id settles the rest.
 */
export function sortSql({ target, descending }: { target: Target; descending: boolean }, view: View): string {
  const direction = descending ? "desc nulls first" : "asc nulls last";
  return `${sortKey(target, view)} ${direction}, ${view.id} ${descending ? "desc" : "asc"}`;
}

function sortKey(target: Target, view: View): string {
  const column = view.columns.get(pathOf(target));
  const leaf = leafOf(target);
  if (column) return column.type === "text" && !leaf.caseExact ? `lower(${column.sql})` : column.sql;
  const { extension, attribute, sub } = target;
  const holder = extension ? `(${view.document}->${literal(extension)})` : view.document;
  const value = `(${holder}->${literal(attribute.name)})`;
  const { sub: _, ...whole } = target;
  const collection = view.collections.get(pathOf(whole));
  const leafText = (element: string) => `nullif(${sub ? `${element}->>${literal(sub.name)}` : `${element}#>>'{}'`}, '')`;
  const first = collection
    ? `(select ${leafText("s.element")} from (${collection}) as s (element) order by 1 limit 1)`
    : `(select ${leafText("s.element")} from jsonb_array_elements(case jsonb_typeof(${value}) when 'array' then ${value} else '[]'::jsonb end) with ordinality as s (element, position)
        order by (s.element->>'primary' = 'true') desc nulls last, s.position limit 1)`;
  const text = attribute.multiValued ? first : leafText(value);
  return leaf.caseExact || leaf.type !== "string" ? `(${text}) collate "C"` : `lower(${text})`;
}
