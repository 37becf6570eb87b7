import type { AttributeObject, Kind } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { DeliveredState, DesiredState, ProjectionState } from "./desired.ts";

/** One target account as wanted and as delivered. */
export interface Projection {
  id: number;
  connectionId: number;
  kind: Kind;
  personId: string | null;
  groupId: string | null;
  nativeId: string | null;
  desiredState: DesiredState;
  desired: AttributeObject | null;
  desiredHash: string | null;
  delivered: AttributeObject | null;
  deliveredHash: string | null;
  deliveredState: DeliveredState | null;
  dirtyAt: Date | null;
  state: ProjectionState;
  attempts: number;
  removeAfter: Date | null;
  sourceChangedAt: Date | null;
  seenAt: Date | null;
  decidedAt: Date | null;
  version: number;
}

export async function readProjection(sql: Sql, id: number): Promise<Projection | undefined> {
  const { rows } = await sql.query<Projection>(
    `select id, connection_id as "connectionId", kind, person_id as "personId", group_id as "groupId", native_id as "nativeId",
       desired_state as "desiredState", desired, encode(desired_hash, 'hex') as "desiredHash",
       delivered, encode(delivered_hash, 'hex') as "deliveredHash", delivered_state as "deliveredState",
       dirty_at as "dirtyAt", state, attempts, remove_after as "removeAfter",
       source_changed_at as "sourceChangedAt", seen_at as "seenAt", decided_at as "decidedAt", version
     from projections where id = $1`,
    [id],
  );
  return rows[0];
}

export type Operation = "create" | "link" | "update" | "disable" | "enable" | "remove" | "members";

/** What stands at the target after a delivery went through. */
export interface Delivered {
  /** Undefined when the target needed no call. */
  operation: Operation | undefined;
  nativeId: string | null;
  state: DeliveredState | null;
  attributes: AttributeObject | null;
  /** Hexadecimal. */
  hash: string | null;
}
