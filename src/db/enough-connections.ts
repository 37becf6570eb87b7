import type { Sql } from "./database.ts";

/** Beside the pools: who shows that the node lives, who listens, who asks whether the database is there, and the commands of whoever looks after it. */
const BESIDE_THE_POOLS = 7;

/** Connections that a node with a pool of this size may hold under load: see openDatabase. Pure. */
export function mostConnections(poolSize: number): number {
  return 2 * poolSize + 2 * Math.max(2, Math.ceil(poolSize / 2)) + BESIDE_THE_POOLS;
}

/**
 * What is wrong with the number of connections that the database lets us have, as a sentence; undefined when one node has enough. Each
 * pool keeps what it has for minutes: one that comes too late gets none, and everybody who needs it is refused although little is asked.
 */
export async function tooFewConnections(sql: Sql, needed: number): Promise<string | undefined> {
  const { rows } = await sql.query<{ most: number }>(
    `select least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0), nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) as most
      from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()`,
  );
  const most = rows[0]?.most ?? needed;
  if (most >= needed) return undefined;
  return `PostgreSQL gives ${most} connections (max_connections, or a limit of the role or the database), and this node may hold ${needed} under load: requests would be refused for minutes then, whatever they ask. Raise the limit.`;
}
