import pg from "pg";
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

/** So many are asked for together: a pooler that lends few keeps nobody else waiting for long. */
const TOGETHER = 8;
/** A session that a pooler has left is there within milliseconds; one that it has to open, a little later. */
const LENT_WITHIN_MS = 2000;

/**
 * The same of a pooler on the way, which has a limit of its own and tells nobody: whoever comes when all of its sessions are lent is let
 * in, and waits. They are borrowed and given back; PostgreSQL itself is not asked for any.
 */
export async function tooFewLent(url: string, needed: number): Promise<string | undefined> {
  const borrowed: pg.Client[] = [];
  try {
    const first = await borrow(url, borrowed);
    if (first === undefined || first.own) return undefined;
    // What this process holds already.
    const wanted = needed - BESIDE_THE_POOLS;
    let lent = 1;
    for (let all = true; all && lent < wanted;) {
      const count = Math.min(TOGETHER, wanted - lent);
      const came = (await Promise.all(Array.from({ length: count }, () => borrow(url, borrowed)))).filter(
        (each) => each !== undefined,
      ).length;
      lent += came;
      all = came === count;
    }
    if (lent >= wanted) return undefined;
    return `The pooler of DATABASE_URL lends ${lent} more sessions at once, and this node may hold ${needed} under load: requests would be refused for minutes then, whatever they ask. Let it lend ${needed} for each node (PgBouncer: default_pool_size).`;
  } finally {
    await Promise.all(borrowed.map(giveBack));
  }
}

/** Undefined when none is lent in time. `own`: it is PostgreSQL's own number of the session that we were let in with. */
async function borrow(url: string, borrowed: pg.Client[]): Promise<{ own: boolean } | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: LENT_WITHIN_MS, query_timeout: LENT_WITHIN_MS });
  client.on("error", () => undefined);
  borrowed.push(client);
  try {
    await client.connect();
    const { rows } = await client.query<{ session: number }>("select pg_backend_pid() as session");
    return { own: (client as pg.Client & { processID?: number | null }).processID === rows[0]?.session };
  } catch {
    // Whoever is refused and whoever waits: there is none for us.
    return undefined;
  }
}

async function giveBack(client: pg.Client): Promise<void> {
  // One that waits for an answer would wait for it before it says farewell.
  if (!(client as pg.Client & { readyForQuery?: boolean }).readyForQuery) return void client.connection.stream.destroy();
  await client.end().catch(() => undefined);
}
