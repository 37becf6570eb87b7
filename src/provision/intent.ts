import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { isObject } from "../directory/attributes.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { LockedWork } from "./lock.ts";
import type { Projection } from "./row.ts";

/** What the next call may change, whether or not we live to hear of it. */
export interface Intent {
  /** The call makes, enables, disables or removes. */
  attempted?: boolean;
  /** What may stand there afterwards; the next delivery starts from here. */
  delivered?: AttributeObject;
  nativeId?: string;
  /** The call makes it: an id that was known is of one that is gone, and must not stand for the one that is made. */
  makes?: boolean;
}

/** Something else was decided since the row was read: what was decided then is not begun any more. */
export class MovedOn extends Error {}

/** While this is asked for nobody can have the connection lead to another application, where what we know and are told of this one is wrong. */
const thatLeadsThere = (id: string, url: string) =>
  `select from connections where id = ${id} and settings ->> 'url' is not distinct from ${url} for share`;

const urlOf = ({ row }: LoadedConnection): unknown => row.settings["url"] ?? null;

/** Whether the connection leads where it led when this was begun; it does until the transaction ends. */
export async function leadsThere(sql: Sql, connection: LoadedConnection): Promise<boolean> {
  const { rowCount } = await sql.query(thatLeadsThere("$1", "$2"), [connection.id, urlOf(connection)]);
  return rowCount === 1;
}

/**
 * Committed by itself before a call: a call whose answer is lost leaves a trace of what it may have done, and what is decided next
 * is sent even where it equals what stood there before. A pass that read the row before this is refused, and looks again.
 * Throws MovedOn.
 */
export async function intend(
  locked: LockedWork,
  { row, connection }: { row: Projection; connection: LoadedConnection },
  { attempted = false, delivered, nativeId, makes = false }: Intent,
): Promise<void> {
  const { rows } = await locked.sql.query<{ version: number; dirty: boolean }>(
    `with there as materialized (${thatLeadsThere("$8", "$9")})
     update projections set delivered_state = case when $4 then 'attempted' else delivered_state end,
       delivered = coalesce($5, delivered), delivered_hash = case when $5::jsonb is null then delivered_hash end,
       native_id = case when not $7 then coalesce($6, native_id) end, version = version + (dirty_at is not null)::int
     where id = $1 and state in ('waiting', 'retrying') and desired_state = $2 and desired_hash is not distinct from decode($3, 'hex')
       and exists (select from there)
     returning version, dirty_at is not null as dirty`,
    [
      row.id,
      row.desiredState,
      row.desiredHash,
      attempted,
      delivered === undefined ? null : JSON.stringify(delivered),
      nativeId ?? null,
      makes,
      connection.id,
      urlOf(connection),
    ],
  );
  const [stored] = rows;
  if (!stored) throw new MovedOn();
  if (!stored.dirty) return;
  // The change of version is ours: it is not taken for somebody else's decision when this delivery is through.
  row.version = stored.version;
  await locked.sql.query(
    `select enqueue_job('project', payload := json_build_object('connectionId', $1::int), queue_name := 'project:' || $1::int,
       job_key := 'project:' || $1::int || ':moved')`,
    [row.connectionId],
  );
}

/** Equals nothing that could be wanted, and is not nothing: whatever is wanted next, it is sent. */
const UNCONFIRMED = "(not confirmed)";

/** What stands there while either of two may: where they differ, nothing that an update could take for done. Pure. */
export function eitherOf(was: AttributeObject, wanted: AttributeObject): AttributeObject {
  return Object.fromEntries(
    [...new Set([...Object.keys(was), ...Object.keys(wanted)])].map((name) => [name, eitherValue(was[name], wanted[name])]),
  );
}

function eitherValue(was: AttributeValue | undefined, wanted: AttributeValue | undefined): AttributeValue | undefined {
  if (isEmpty(was) && isEmpty(wanted)) return was;
  if (JSON.stringify(was) === JSON.stringify(wanted)) return was;
  if ((isObject(was) || isEmpty(was)) && (isObject(wanted) || isEmpty(wanted)))
    return eitherOf(isObject(was) ? was : {}, isObject(wanted) ? wanted : {});
  return UNCONFIRMED;
}

function isEmpty(value: AttributeValue | undefined): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}
