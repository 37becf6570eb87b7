import { hostname } from "node:os";
import type { Completeness, Cursor, Kind, RecordProblem } from "../../connectors/contract.ts";
import type { LoadedConnection } from "../connections/open.ts";
import { signsPeopleIn } from "../connections/sign-in-connectors.ts";
import type { Context } from "../context.ts";
import { inTransaction, type Database, type Sql } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import type { Deciding } from "./decide.ts";
import { compileMapping, compileOtherMapping, type CompiledMapping } from "./mapping.ts";
import { openPlan } from "./plan.ts";
import type { OnProgress, Timings } from "./progress.ts";
import { takeRequested, type TakeOptions } from "./request-run.ts";

export type RunMode = "full" | "incremental" | "remap";
export type RunTrigger = "schedule" | "cli" | "api" | "recovery" | "hook" | "upload" | "replay";

/** One execution of a connection's sync, while it goes on. */
export interface Run {
  readonly ctx: Context;
  readonly db: Database;
  readonly keyRing: KeyRing;
  readonly connection: LoadedConnection;
  readonly deciding: Deciding;
  readonly id: number;
  readonly planId: number;
  readonly mode: RunMode;
  readonly startedAt: Date;
  readonly planOnly: boolean;
  /** Ends with a plan that nobody can approve, and leaves everything else as it is. */
  readonly rehearsal: boolean;
  readonly timings: Timings;
  readonly onProgress: OnProgress;
  /** Records read, changed and refused, by kind. */
  readonly counts: Record<string, { read: number; changed: number; problems: number }>;
  readonly evidence: Partial<Record<Kind, Completeness>>;
  readonly cursors: Partial<Record<Kind, Cursor>>;
  /** What full reads returned against what was known, for the guards. */
  readonly reads: { kind: Kind; read: number; known: number }[];
  /** Kinds of which something is known that the connection does not read any more: that they leave waits for a human. */
  readonly unread: Set<Kind>;
  /** Sentences for the summary: why nothing was swept, and the like. */
  readonly notes: string[];
  readonly next: { seq: number; page: number };
  /** Whether it has read of anybody who leaves a group. */
  readonly seen: { membersLeave: boolean };
  /** Native ids, by kind, of known records that this run has read otherwise than they are known. */
  readonly staged: Readonly<Record<Kind, Set<string>>>;
  /** Native ids of people's records that claim a name or an address that was another's when they were decided about. */
  readonly contested: Set<string>;
  /** What was there when the run began: nothing has to be compared with nothing. */
  readonly before: { people: boolean; accounts: ReadonlySet<Kind>; lastAccountId: number };
}

export interface BeginOptions {
  db: Database;
  keyRing: KeyRing;
  connection: LoadedConnection;
  mode: RunMode;
  trigger: RunTrigger;
  planOnly: boolean;
  rehearsal: boolean;
  onProgress: OnProgress;
  /** The run that somebody asked for; see request-run.ts. */
  requested?: number | undefined;
}

/** Opens the run and its plan. The connection's lock is held: an open run of it belongs to a node that died, and is closed. */
export async function beginRun(ctx: Context, options: BeginOptions): Promise<Run> {
  const { connection, db } = options;
  const startedAt = ctx.now();
  const ids = await inTransaction(db, ctx, async (work) => {
    await closeCrashedRuns(work.sql, { connectionId: connection.id, now: startedAt });
    const begun = {
      mode: options.mode,
      trigger: options.trigger,
      startedAt,
      cursor: connection.cursor,
      node: `${hostname()}:${process.pid}`,
    };
    const id =
      (await takeRequested(work.sql, { runId: options.requested, ...begun })) ??
      (await insertRun(work.sql, { connectionId: connection.id, ...begun }));
    return { id, planId: await openPlan(work, { runId: id, connectionId: connection.id, mappingVersion: connection.mappingVersion }) };
  });
  return {
    ...options,
    ...ids,
    ctx,
    startedAt,
    deciding: await decidingFor(db.pool, connection, { speaks: options.mode !== "remap" }),
    before: await whatIsThere(db.pool, connection.id),
    timings: {},
    counts: {},
    evidence: {},
    cursors: {},
    reads: [],
    unread: new Set(),
    notes: [],
    next: { seq: 0, page: 0 },
    seen: { membersLeave: false },
    staged: { user: new Set(), group: new Set(), unit: new Set() },
    contested: new Set(),
  };
}

async function insertRun(
  sql: Sql,
  { connectionId, mode, trigger, startedAt, cursor, node }: Omit<TakeOptions, "runId"> & { connectionId: number },
): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    "insert into runs (connection_id, mode, trigger, state, started_at, cursor_before, node) values ($1, $2, $3, 'pulling', $4, $5, $6) returning id",
    [connectionId, mode, trigger, startedAt, JSON.stringify(cursor), node],
  );
  return rows[0]?.id ?? 0;
}

async function closeCrashedRuns(
  sql: Database["pool"] | Parameters<Parameters<typeof inTransaction>[2]>[0]["sql"],
  { connectionId, now }: { connectionId: number; now: Date },
): Promise<void> {
  await sql.query(
    `with crashed as (update runs set state = 'crashed', finished_at = $2, error_code = 'crashed', error_message = 'The node that ran it died; the next run took over.'
        where connection_id = $1 and state in ('pulling', 'planned', 'applying') returning id)
     update plans p set state = 'superseded' from crashed c where p.run_id = c.id and p.state in ('staging', 'closed', 'applying')`,
    [connectionId, now],
  );
}

async function whatIsThere(sql: Pick<Database["pool"], "query">, connectionId: number): Promise<Run["before"]> {
  const { rows } = await sql.query<{ people: boolean; kinds: Kind[]; last: number }>(
    `select exists (select from people) as people, coalesce((select max(id) from accounts), 0) as last, array(select kind from unnest(array['unit', 'user', 'group']) as kind where exists (select from accounts a where a.connection_id = $1 and a.kind = kind.kind)) as kinds`,
    [connectionId],
  );
  return { people: rows[0]?.people ?? true, accounts: new Set(rows[0]?.kinds), lastAccountId: rows[0]?.last ?? 0 };
}

/** What deciding needs to know of this connection and of the others. `speaks`: what is decided about comes from the system itself, just now. `compile`: its own mapping. */
export async function decidingFor(
  sql: Pick<Database["pool"], "query">,
  connection: LoadedConnection,
  { speaks = true, compile = compileMapping }: { speaks?: boolean; compile?: typeof compileMapping } = {},
): Promise<Deciding> {
  const { rows } = await sql.query<{ id: number; connector: string; mapping: LoadedConnection["mapping"]; silent: boolean }>(
    "select id, connector, mapping, silent_since is not null as silent from connections",
  );
  const stored = new Map(rows.map((row) => [row.id, row.mapping]));
  const compiled = new Map<number, CompiledMapping>([[connection.id, compile(connection.mapping)]]);
  const mappingOf = (id: number): CompiledMapping => {
    const mapping = compiled.get(id) ?? compileOtherMapping(stored.get(id) ?? null);
    compiled.set(id, mapping);
    return mapping;
  };
  return {
    connectionId: connection.id,
    connectionName: connection.name,
    mappingVersion: connection.mappingVersion,
    precedence: connection.precedence,
    mapping: mappingOf(connection.id),
    mappingOf,
    silent: new Set(rows.filter(({ id, silent }) => silent && !(speaks && id === connection.id)).map(({ id }) => id)),
    signIns: new Set(rows.filter(({ connector }) => signsPeopleIn(connector)).map(({ id }) => id)),
  };
}

/** Lists bad records on the run, by the source's id. */
export async function noteProblems(run: Run, problems: readonly RecordProblem[]): Promise<void> {
  if (problems.length === 0) return;
  for (const { kind } of problems) countsOf(run, kind).problems += 1;
  await run.db.pool.query(
    `insert into run_problems (run_id, kind, native_id, code, message)
     select $1, kind, native_id, code, message from jsonb_to_recordset($2::jsonb) as p(kind text, native_id text, code text, message text)`,
    [
      run.id,
      JSON.stringify(
        problems.map(({ kind, nativeId, code, message }) => ({ kind, native_id: nativeId, code, message: message.slice(0, 2000) })),
      ),
    ],
  );
}

export function countsOf(run: Run, kind: Kind): { read: number; changed: number; problems: number } {
  return (run.counts[kind] ??= { read: 0, changed: 0, problems: 0 });
}
