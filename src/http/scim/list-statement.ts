import type { Position } from "./cursor.ts";
import { filterSql } from "./filter/sql.ts";
import type { ListRequest } from "./list-request.ts";
import { notNeeded } from "./projection.ts";
import { sortKey, type SortKey } from "./sort.ts";
import { pathOf, type Parameters, type View } from "./view.ts";

/** A row of a list's answer. There is always one, so that there is always a total; without a page its text is null. */
export interface ListRow {
  total: number;
  text: string | null;
  id: string | null;
  /** The sort key's value; null without a sort. */
  key: string | null;
  /** The same in every row; absent unless it was asked for. */
  stamp?: string | null;
}

export interface ListStatementOptions {
  view: View;
  parameters: Parameters;
  request: ListRequest;
  /** For cursor paging: where the page begins; undefined for index paging and for the first page. */
  position?: Position | undefined;
  /** SQL of a text to be read along, in the same moment. */
  stamp?: string | undefined;
}

/**
 * One statement for the total and the page, so that both are of one moment and cost one trip. Ids come first, in order,
 * then only the page's resources: skipping thousands must not assemble them.
 */
export function listStatement({ view, parameters, request, position, stamp }: ListStatementOptions): string {
  const also = stamp === undefined ? "" : `, ${stamp} as stamp`;
  // By id is the order without a sort.
  const key = request.sort && pathOf(request.sort.target) !== "id" ? sortKey(request.sort.target, view) : undefined;
  const descending = request.sort?.descending === true;
  const walk = { view, parameters, request, position, key, order: orders({ key, descending, backward: position?.direction === "before" }) };
  const { counted, page } = request.filter || (key && !key.indexed) || !view.unjoined ? amongFound(walk) : amongAll(walk);
  if (request.count === 0) return `with ${counted} select total, null as text, null as id, null as key${also} from counted`;
  const without = notNeeded(request.projection, view);
  // Whoever looks for somebody finds few, whom it does not pay to gather for.
  const gathered = request.filter ? undefined : view.gathered?.(without);
  // Row by row through its index: how long a page is, a plan made for all pages does not know.
  return `with ${counted}, page as (select listed.*, row_number() over () as position from (${page}) listed)${gathered ? `, ${gathered.tables}` : ""}
    select counted.total, shown.text, shown.id, shown.key${also} from counted left join (
      select page.position, page.id, page.key, resource.text from page ${gathered?.joins ?? ""} cross join lateral (
        select (${gathered?.resource ?? view.resource(without)})::text as text from ${view.table} ${view.joins} where ${view.id} = page.id offset 0) resource) shown on true
    order by shown.position`;
}

interface Walk extends ListStatementOptions {
  key: SortKey | undefined;
  order: Orders;
}

interface Orders {
  /** The direction of both key and id in the list as it is walked. */
  way: "asc" | "desc";
  /** `order by` for a key and an id under these names. */
  by(names: { key: string; id: string }): string;
  reversed(names: { key: string; id: string }): string;
}

/** Resources without a value come last, first when descending; so walking backwards is the whole turned round. */
function orders({ key, descending, backward }: { key: SortKey | undefined; descending: boolean; backward: boolean }): Orders {
  const by = (way: "asc" | "desc") => (names: { key: string; id: string }) =>
    key ? `${names.key} ${way} nulls ${way === "asc" ? "last" : "first"}, ${names.id} ${way}` : `${names.id} ${way}`;
  const way = descending === backward ? "asc" : "desc";
  return { way, by: by(way), reversed: by(way === "asc" ? "desc" : "asc") };
}

interface Parts {
  /** The common table expressions that the page needs, `counted (total)` the last of them. */
  counted: string;
  /** The page's ids and keys in the order in which they are walked. */
  page: string;
}

/** All that match are found once, counted, and cut. */
function amongFound({ view, parameters, request, position, key, order }: Walk): Parts {
  const condition = request.filter ? `${view.visible} and ${filterSql(request.filter, { view, parameters })}` : view.visible;
  const counted = `found as materialized (select ${view.id} as id, ${key ? key.sql : "null::text"} as key from ${view.table} ${view.joins} where ${condition}),
    counted as (select count(*) as total from found)`;
  if (request.count === 0) return { counted, page: "" };
  // By their table: a bare `key` would be the text that is shown of it, and 10 come before 2.
  const names = { key: "found.key", id: "found.id" };
  const from = position ? `where ${beyond(position, { parameters, key, order, names })}` : "";
  return { counted, page: `select id, key::text as key from found ${from} order by ${order.by(names)} ${cut(request, parameters)}` };
}

/** Nothing to find: the total is kept, and an index gives the order. Pages in the second half are counted off from the end. */
function amongAll({ view, parameters, request, position, key, order }: Walk): Parts {
  const { visible, total } = view.unjoined ?? { visible: view.visible, total: undefined };
  const counted = `counted as materialized (select ${total ?? `(select count(*) from ${view.table} where ${visible})`} as total)`;
  if (request.count === 0) return { counted, page: "" };
  const names = { key: key?.sql ?? "", id: view.id };
  const columns = `${view.id} as id, ${key ? `${key.sql}::text` : "null::text"} as key`;
  if (request.cursor !== undefined) {
    const from = position ? `and ${beyond(position, { parameters, key, order, names })}` : "";
    const page = `select ${columns} from ${view.table} where ${visible} ${from} order by ${order.by(names)} ${cut(request, parameters)}`;
    return { counted, page };
  }
  const skipped = `${parameters.add(request.startIndex - 1)}::bigint`;
  const count = `${parameters.add(request.count)}::bigint`;
  const all = "(select total from counted)";
  const listed = `select ${columns}, row_number() over () as place from (select * from ${view.table} where ${visible}`;
  return {
    counted,
    page: `select id, key from (
        (${listed} and ${all} >= 2 * ${skipped} order by ${order.by(names)} offset ${skipped} limit ${count}) ${alias(view)})
        union all
        (${listed} and ${all} < 2 * ${skipped} order by ${order.reversed(names)} offset greatest(${all} - ${skipped} - ${count}, 0) limit greatest(least(${count}, ${all} - ${skipped}), 0)) ${alias(view)} order by place desc)
      ) either`,
  };
}

/** `p` of `people p`. */
function alias({ table }: View): string {
  return table.slice(table.lastIndexOf(" ") + 1);
}

/** One more than the page, so that we know whether another follows. */
function cut(request: ListRequest, parameters: Parameters): string {
  if (request.cursor !== undefined) return `limit ${parameters.add(request.count + 1)}::bigint`;
  return `offset ${parameters.add(request.startIndex - 1)}::bigint limit ${parameters.add(request.count)}::bigint`;
}

/** What comes after a position in the order as it is walked. */
function beyond(
  position: Position,
  {
    parameters,
    key,
    order,
    names,
  }: { parameters: Parameters; key: SortKey | undefined; order: Orders; names: { key: string; id: string } },
): string {
  const sign = order.way === "asc" ? ">" : "<";
  const id = `${parameters.add(position.id)}::uuid`;
  if (!key) return `${names.id} ${sign} ${id}`;
  // Without a value: last in an ascending walk, first in a descending one.
  if (position.key === null)
    return order.way === "asc"
      ? `(${names.key} is null and ${names.id} > ${id})`
      : `((${names.key} is null and ${names.id} < ${id}) or ${names.key} is not null)`;
  const value = `${parameters.add(position.key)}::${key.type}`;
  const later = `(${names.key}, ${names.id}) ${sign} (${value}, ${id})`;
  return order.way === "asc" && !key.indexed ? `(${later} or ${names.key} is null)` : later;
}
