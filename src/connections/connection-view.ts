import type { Sql } from "../db/database.ts";
import { findConnection, type ConnectionRow, type ConnectionState } from "./open.ts";
import { nextStrokes } from "./next-strokes.ts";
import { type Settings } from "./secrets.ts";

/** Part of a definition, as it is stored. */
type Part = Readonly<Record<string, unknown>>;

/** A connection as it is shown: its definition without secrets, and how it stands. */
export interface ConnectionView {
  /** Its name. */
  id: string;
  name: string;
  connector: string;
  settings: Settings;
  /** Secret settings by their dotted name: they are set, and never shown. */
  secrets: Readonly<Record<string, { set: true }>>;
  schedule: string | null;
  timeZone: string;
  /** When it will be read next, and when its target is compared next; empty where nothing is due. */
  nextRuns: Date[];
  nextReconciliations: Date[];
  enabled: boolean;
  precedence: number;
  mapping: Part | null;
  limits: Part;
  policy: Part;
  state: ConnectionState;
  stateReason: string | null;
  /** Runs that failed one after the other. */
  failures: number;
  /** Linked accounts of people. */
  people: number;
  /** Accounts that wait for a human. */
  disputed: number;
  /** Plans that wait for approval. */
  held: number;
  lastRunAt: Date | null;
  lastFullAt: Date | null;
  version: number;
}

type Row = Omit<ConnectionRow, "mapping" | "limits" | "policy"> &
  Pick<ConnectionView, "people" | "disputed" | "held" | "mapping" | "limits" | "policy">;

const VIEW = `select c.*,
    (select count(*) from accounts a where a.connection_id = c.id and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null) as people,
    (select count(*) from accounts a where a.connection_id = c.id and a.situation = 'disputed' and a.gone_at is null) as disputed,
    (select count(*) from plans p where p.connection_id = c.id and p.state = 'held') as held
  from connections c`;

export interface ListConnectionsOptions {
  /** The name after which the page begins. */
  after: string | undefined;
  limit: number;
  connector?: string | undefined;
  state?: ConnectionState | undefined;
}

/** Connections by name. */
export async function listConnectionViews(sql: Sql, { after, limit, connector, state }: ListConnectionsOptions): Promise<ConnectionView[]> {
  const { rows } = await sql.query<Row>(
    `${VIEW} where ($1::text is null or c.name > $1) and ($3::text is null or c.connector = $3) and ($4::text is null or c.state = $4)
     order by c.name limit $2`,
    [after ?? null, limit, connector ?? null, state ?? null],
  );
  return rows.map(viewOf);
}

/** One connection. Throws `not_found`. */
export async function readConnectionView(sql: Sql, name: string): Promise<ConnectionView> {
  const { id } = await findConnection(sql, name);
  const { rows } = await sql.query<Row>(`${VIEW} where c.id = $1`, [id]);
  const [row] = rows;
  if (!row) throw new Error(`the connection ${name} vanished while it was read`);
  return viewOf(row);
}

function viewOf(row: Row): ConnectionView {
  const { name, connector, settings, schedule, enabled, precedence, mapping, limits, policy, state, failures, version } = row;
  const runs = enabled && state === "ready";
  const timeZone = row.time_zone;
  const reconcile = (policy as { provision?: { reconcile?: string } }).provision?.reconcile ?? null;
  return {
    ...{ id: name, name, connector, settings, schedule, timeZone, enabled, precedence, mapping, limits, policy, state, failures, version },
    secrets: Object.fromEntries(Object.keys(row.secrets).map((field) => [field, { set: true as const }])),
    nextRuns: runs ? nextStrokes({ schedule, timeZone }) : [],
    nextReconciliations: runs ? nextStrokes({ schedule: reconcile, timeZone }) : [],
    stateReason: row.state_reason,
    people: row.people,
    disputed: row.disputed,
    held: row.held,
    lastRunAt: row.last_run_at,
    lastFullAt: row.last_full_at,
  };
}
