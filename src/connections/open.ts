import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type {
  Connector,
  Conversation,
  Cursor,
  Kind,
  Network,
  OpenOptions,
  Source,
  Target,
  UploadedFiles,
  WriteBack,
} from "../../connectors/contract.ts";
import { connectors } from "../../connectors/registry.ts";
import type { Sql } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { takenForGranted } from "../expressions/taken-for-granted.ts";
import { limitsSchema, mappingSchema, policySchema, type Limits, type Mapping, type Policy } from "./definition.ts";
import { uploadedFiles } from "./upload-read.ts";
import { openSecrets, type SealedSecrets, type Settings } from "./secrets.ts";

export type ConnectionState = "ready" | "flagged" | "quarantined";

/** A row of `connections`, as stored. */
export interface ConnectionRow {
  id: number;
  name: string;
  connector: string;
  settings: Settings;
  secrets: SealedSecrets;
  schedule: string | null;
  time_zone: string;
  enabled: boolean;
  mapping: unknown;
  mapping_version: number;
  precedence: number;
  limits: unknown;
  policy: unknown;
  state: ConnectionState;
  state_reason: string | null;
  failures: number;
  cursor: Readonly<Partial<Record<Kind, Cursor>>> | null;
  scope_hash: string | null;
  last_full_at: Date | null;
  last_run_at: Date | null;
  heard_at: Date | null;
  silent_since: Date | null;
  version: number;
}

/** A connection ready to be used: settings parsed by its connector, secrets opened. Never log it whole. */
export interface LoadedConnection {
  id: number;
  name: string;
  connector: Connector<never>;
  /** As the connector's schema gives them, secrets included. */
  settings: unknown;
  mapping: Mapping | null;
  mappingVersion: number;
  precedence: number;
  limits: Limits;
  policy: Policy;
  /** Where the next incremental read starts, by kind. */
  cursor: Readonly<Partial<Record<Kind, Cursor>>> | null;
  /** Hash of what the last applied run covered; see scopeHashOf. */
  scopeHash: string | null;
  state: ConnectionState;
  lastFullAt: Date | null;
  row: ConnectionRow;
  /** What was handed in for it; absent where it was not loaded from the database by itself. */
  uploads?: UploadedFiles;
}

/** Loads by name or id. Throws `not_found`; `misconfigured` when its key is missing or its settings no longer fit the connector. */
export async function loadConnection(sql: Sql, keyRing: KeyRing, nameOrId: string | number): Promise<LoadedConnection> {
  const row = await findConnection(sql, nameOrId);
  return { ...connectionOf(row, keyRing), uploads: uploadedFiles(sql, { connectionId: row.id, keyRing }) };
}

/** The same, from a row that was read already. */
export function connectionOf(row: ConnectionRow, keyRing: KeyRing): LoadedConnection {
  const connector = Object.hasOwn(connectors, row.connector) ? connectors[row.connector] : undefined;
  if (!connector)
    throw new AppError(
      "misconfigured",
      `The connection ${row.name} uses the connector "${row.connector}", which this version does not have.`,
    );
  const settings = connector.settings.safeParse(openSecrets(row.settings, { connection: row.name, secrets: row.secrets, keyRing }));
  if (!settings.success) {
    const problems = settings.error.issues.map(({ path, message }) => ({ field: ["settings", ...path.map(String)].join("."), message }));
    throw new AppError(
      "misconfigured",
      `The stored settings of the connection ${row.name} no longer fit the connector ${row.connector}; add it again with --replace.`,
      { problems },
    );
  }
  return {
    id: row.id,
    name: row.name,
    connector,
    settings: settings.data,
    mapping: row.mapping === null ? null : mappingSchema.parse(row.mapping),
    mappingVersion: row.mapping_version,
    precedence: row.precedence,
    limits: limitsSchema.parse(row.limits),
    policy: policySchema.parse(row.policy),
    cursor: row.cursor,
    scopeHash: row.scope_hash,
    state: row.state,
    lastFullAt: row.last_full_at,
    row,
  };
}

/** The stored row, secrets still sealed. Throws `not_found`, naming the connections there are. */
export async function findConnection(sql: Sql, nameOrId: string | number): Promise<ConnectionRow> {
  const column = typeof nameOrId === "number" ? "id" : "name";
  const { rows } = await sql.query<ConnectionRow>(`select * from connections where ${column} = $1`, [nameOrId]);
  if (!rows[0]) throw new AppError("not_found", await unknownConnection(sql, nameOrId), { field: "connection" });
  return rows[0];
}

async function unknownConnection(sql: Sql, nameOrId: string | number): Promise<string> {
  const { rows } = await sql.query<{ name: string }>("select name from connections order by name limit 20");
  const known = rows.length
    ? `there are ${rows.map(({ name }) => name).join(", ")}`
    : "there is none yet: `rollcall connection add FILE` makes one";
  return `There is no connection ${typeof nameOrId === "number" ? `with the id ${nameOrId}` : `"${nameOrId}"`}; ${known}.`;
}

/** What opening takes from the flow that asks. */
export interface OpenConnectionOptions {
  log: Logger;
  signal: AbortSignal;
  now: () => Date;
  /** What may be reached; absent = public addresses only. */
  network?: Network | undefined;
  /** A recorder or a replay, for connectors that speak HTTP by the kit. */
  conversation?: Conversation | undefined;
}

/** Opens the source's side. Throws `misconfigured` when the connector has none; a Fault when the system refuses. */
export function openSource(connection: LoadedConnection, options: OpenConnectionOptions): Promise<Source> {
  const { openSource: opener } = connection.connector;
  if (!opener) throw cannot(connection, "be read from");
  return opener(openOptions(connection, options));
}

export function openTarget(connection: LoadedConnection, options: OpenConnectionOptions): Promise<Target> {
  const { openTarget: opener } = connection.connector;
  if (!opener) throw cannot(connection, "receive people");
  return opener(openOptions(connection, options));
}

export function openWriteBack(connection: LoadedConnection, options: OpenConnectionOptions): Promise<WriteBack> {
  const { openWriteBack: opener } = connection.connector;
  if (!opener) throw cannot(connection, "be written back to");
  return opener(openOptions(connection, options));
}

/** The parsed settings, as the connector's own schema gave them. */
export function openOptions(
  connection: LoadedConnection,
  { log, signal, now, network, conversation }: OpenConnectionOptions,
): OpenOptions<never> {
  // The registry holds connectors of many settings types; this value was parsed by this connector's own schema.
  const settings = connection.settings as never;
  return {
    settings,
    log: log.child({ connection: connection.name }),
    signal,
    now,
    network,
    conversation,
    uploads: connection.uploads,
    granted: grantedBy(connection.mapping?.user),
  };
}

function grantedBy(mapping: Mapping["user"]): string[] {
  const sources = Object.values(mapping?.attributes ?? {}).map((mapped) => (typeof mapped === "string" ? mapped : mapped.value));
  return takenForGranted({ sources: mapping?.scope === undefined ? sources : [...sources, mapping.scope], subject: "account" });
}

function cannot({ name, connector }: LoadedConnection, what: string): AppError {
  return new AppError("misconfigured", `The connection ${name} can't ${what}: its connector ${connector.name} has no such side.`);
}

/** Hash over all that decides what a read covers (base, filters, mapping scopes); when it changes, the next sweep is held. */
export function scopeHashOf({ connector, settings, mapping }: LoadedConnection): string {
  const scope = {
    settings: connector.scopeOf?.(settings as never) ?? null,
    mapping: { user: mapping?.user?.scope ?? null, group: mapping?.group?.scope ?? null, unit: mapping?.unit?.scope ?? null },
  };
  return createHash("sha256").update(JSON.stringify(scope)).digest("hex");
}
