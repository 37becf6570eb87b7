import { loadConnection, type LoadedConnection } from "../../connections/open.ts";
import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { decidingFor } from "../begin.ts";
import type { Deciding } from "../decide.ts";

/** A connection with all that deciding about one of its records needs. */
export interface RequestConnection {
  /** Tells this state of its row from every other, whoever changed it, however. */
  stamp: string;
  connection: LoadedConnection;
  /** Knows this connection's own mapping; others' may have moved since. */
  deciding: Deciding;
}

/** Gives a connection as it was when its row had this stamp, or later; without one, as it was last known. Throws as loadConnection. */
export type RequestConnections = (sql: Sql, asked: { id: number; stamp?: string }) => Promise<RequestConnection>;

/** The stamp, as a column of `connections`. */
export const STAMP = "xmin::text";

/** Connections kept from request to request; every look says which stamp it found, so that none is used when it is stale. */
export function requestConnections(keyRing: KeyRing): RequestConnections {
  const kept = new Map<number, RequestConnection>();
  return async (sql, { id, stamp }) => {
    const known = kept.get(id);
    if (known && (stamp === undefined || known.stamp === stamp)) return known;
    const found = stamp ?? (await stampOf(sql, id));
    const connection = await loadConnection(sql, keyRing, id);
    const loaded = { stamp: found, connection, deciding: await decidingFor(sql, connection) };
    kept.set(id, loaded);
    return loaded;
  };
}

async function stampOf(sql: Sql, id: number): Promise<string> {
  const { rows } = await sql.query<{ stamp: string }>(`select ${STAMP} as stamp from connections where id = $1`, [id]);
  return rows[0]?.stamp ?? "";
}
