import { literal } from "./view.ts";

/**
 * SQL of the number of resources that a client sees: all that are there, summed from the changes that triggers keep,
 * without those that this client left behind, which are few and found by an index.
 */
export function resourceTotal({
  connection,
  kind,
  table,
  present,
}: {
  connection: string;
  kind: "user" | "group";
  table: string;
  /** What is there, of the table under the alias `q`. */
  present: string;
}): string {
  return `((select coalesce(sum(change), 0) from resource_count_changes where kind = ${literal(kind)})
    - (select count(*) from accounts b join ${table} q on q.id = case when b.native_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then b.native_id::uuid end and ${present}
      where b.connection_id = ${connection} and b.kind = ${literal(kind)} and b.gone_at is not null))`;
}
