import pg from "pg";
import { AppError } from "../errors.ts";

/** Where our tables stand. The search for people and what compares units name it, for extensions are found by it. */
const SCHEMA = "public";
const EXTENSIONS = ["btree_gist", "citext", "ltree", "pg_trgm", "unaccent"];
const OLDEST_VERSION = 150_000;
/** Between two questions a pooler may have given the server's session to anybody. */
const ROUNDS = 5;
/** A pooler that has no session left for a second connection lets it wait. */
const ANSWERED_WITHIN_MS = 5000;

interface Found {
  version: number;
  release: string;
  encoding: string;
  /** Whether I and i are two cases of one letter. */
  folds: boolean;
  /** Whether nothing of ours is there yet. */
  fresh: boolean;
  schema: string | null;
  path: string;
  elsewhere: string[];
  session: number;
}

const LOOK = `select current_setting('server_version_num')::int as version, current_setting('server_version') as release,
  current_setting('server_encoding') as encoding, lower('I') = 'i' and upper('i') = 'I' as folds,
  to_regclass('_prisma_migrations') is null as fresh, current_schema() as schema, current_setting('search_path') as path, pg_backend_pid() as session,
  array(select e.extname || ' (' || n.nspname || ')' from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = any($1) and n.nspname <> '${SCHEMA}' order by 1) as elsewhere`;

/**
 * Throws `misconfigured` when Rollcall would start on this database and fail oddly later: an older PostgreSQL, texts that it can't hold,
 * tables or extensions that are looked for elsewhere, and poolers that give each transaction another session.
 */
export async function requireSuitable(client: pg.Client, url: string): Promise<void> {
  const { rows } = await client.query<Found>(LOOK, [EXTENSIONS]);
  const problem =
    rows[0] && (unsuitable(rows[0], new URL(url).searchParams.get("schema")) ?? (await lentSession(client, { url, ...rows[0] })));
  if (problem) throw new AppError("misconfigured", problem, { field: "DATABASE_URL" });
}

/** What is wrong with a database, as sentences; undefined when nothing is. Pure. */
export function unsuitable(found: Omit<Found, "session">, asked: string | null): string | undefined {
  if (found.version < OLDEST_VERSION) return `DATABASE_URL leads to PostgreSQL ${found.release}: Rollcall needs 15 or later.`;
  // Whoever lives with their database's letters already is not locked out for them.
  if (found.fresh && found.encoding !== "UTF8")
    return `The database of DATABASE_URL is encoded in ${found.encoding}, which can't hold everybody's name: make one with the encoding UTF8 (createdb --encoding UTF8 --template template0).`;
  if (found.fresh && !found.folds)
    return "In the database of DATABASE_URL the letters I and i are not one, as in Turkish: ADMIN and admin would be two names. Make one of another locale (createdb --locale C.UTF-8 --template template0).";
  if (asked !== null && asked !== SCHEMA)
    return `DATABASE_URL names the schema ${asked}: Rollcall's tables stand in ${SCHEMA}. Leave it out, and give Rollcall a database of its own.`;
  if (found.schema !== SCHEMA)
    return `The user of DATABASE_URL works in ${found.schema === null ? "no schema that there is" : `the schema ${found.schema}`} (search_path: ${found.path}), and Rollcall's tables stand in ${SCHEMA}: let its search_path begin with ${SCHEMA} (alter role … in database … set search_path = ${SCHEMA}), and let it use that schema.`;
  if (found.elsewhere.length > 0)
    return `Extensions stand in another schema than ${SCHEMA}, where Rollcall looks for them: ${found.elsewhere.join(", ")}. Move each (alter extension … set schema ${SCHEMA}).`;
  return undefined;
}

/**
 * A pooler that lends a session for each transaction takes away what sessions hold: locks of runs, who listens, settings. A session is our
 * own when the server's number of it is the one that we were let in with; a pooler says another, and is asked twice who is there.
 */
async function lentSession(client: pg.Client, { url, session }: { url: string; session: number }): Promise<string | undefined> {
  if ((client as pg.Client & { processID?: number | null }).processID === session) return undefined;
  // Poolers that keep the session of whoever sets something are none of these.
  await client.query("set rollcall.session = 'own'");
  const other = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWERED_WITHIN_MS, query_timeout: ANSWERED_WITHIN_MS });
  other.on("error", () => undefined);
  let own = await numberOf(client);
  try {
    await other.connect();
    for (let round = 0; round < ROUNDS; round++) {
      const others = await numberOf(other);
      const now = await numberOf(client);
      if (others === own || now !== own) return POOLED;
      own = now;
    }
    return undefined;
  } catch {
    // Whoever waits for a session of their own is not lent another's.
    return undefined;
  } finally {
    await other.end().catch(() => undefined);
  }
}

const POOLED =
  "DATABASE_URL leads to a pooler that gives each transaction another session (PgBouncer with pool_mode = transaction): Rollcall holds locks, listens and sets what it needs for as long as a connection lasts. Name PostgreSQL itself, or a pool with pool_mode = session and as many sessions as connections.";

async function numberOf(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ session: number }>("select pg_backend_pid() as session");
  return rows[0]?.session;
}
