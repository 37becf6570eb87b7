import { connectors } from "../../connectors/registry.ts";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import { AppError } from "../errors.ts";
import { policySchema, type ConnectionDefinition } from "./definition.ts";
import { endSignIns } from "./end-sign-ins.ts";
import { leaveHooks, wakeHooks } from "./hooks/leave.ts";
import type { ConnectionRow, ConnectionState } from "./open.ts";
import { refuseOtherIssuer } from "./issuer.ts";
import { forgetIdsOfOtherApplication } from "./moved-target.ts";
import { openSecrets, sealSecrets, type SecretSources, type Settings } from "./secrets.ts";
import { validateDefinition } from "./validate.ts";

export interface AddConnectionOptions {
  /** As written by an administrator (connectionDefinitionSchema); validated here. */
  definition: unknown;
  keyRing: KeyRing;
  /** Change the connection of this name when there is one. */
  replace?: boolean;
  /** Where secrets given as `{ env: NAME }` or `{ file: PATH }` are found. */
  sources?: SecretSources;
  /** Folders in which files that the settings name must be, when they are new. Absent = anywhere. */
  folders?: readonly string[];
}

export interface AddedConnection {
  id: number;
  name: string;
  created: boolean;
  /** Columns that changed; empty when everything was already so. */
  changed: readonly string[];
}

/**
 * Inserts or, with `replace`, updates a connection. Secrets are sealed; a replaced definition may leave them out and keeps
 * the stored ones. Throws `invalid` with every problem, `conflict` when the name is taken.
 */
export async function addConnection(
  work: Work,
  { definition: input, keyRing, replace = false, sources, folders }: AddConnectionOptions,
): Promise<AddedConnection> {
  const existing = await lockByName(work.sql, nameOf(input));
  const stored = existing ? openSecrets({}, { connection: existing.name, secrets: existing.secrets, keyRing }) : {};
  const files = folders && { folders, stored: existing?.settings };
  const definition = validateDefinition(input, { sources, stored, files });
  if (!existing) return woken(work, { definition, added: await insert(work, { definition, keyRing }) });
  if (!replace)
    throw new AppError("conflict", `There already is a connection "${definition.name}". Choose another name, or replace it (--replace).`, {
      field: "name",
    });
  if (existing.connector !== definition.connector) {
    throw new AppError(
      "conflict",
      `The connection "${definition.name}" uses the connector ${existing.connector}; its accounts mean nothing to ${definition.connector}. Add a connection of another name.`,
      { field: "connector" },
    );
  }
  return woken(work, { definition, added: await update(work, { existing, definition, keyRing, stored }) });
}

/** What people should have there follows from the policy: a new one is worked out by the next free worker. */
async function woken(
  { sql }: Work,
  { definition: { policy }, added }: { definition: ConnectionDefinition; added: AddedConnection },
): Promise<AddedConnection> {
  if (added.changed.length > 0) await wakeHooks(sql, { connectionId: added.id, wanted: policy.notifications.enabled });
  if (receives(policy) && added.changed.length > 0)
    await enqueue(sql, { job: "project", payload: { connectionId: added.id }, key: `project:${added.id}`, queue: `project:${added.id}` });
  return added;
}

function receives({ provision, writeBack }: ConnectionDefinition["policy"]): boolean {
  return provision !== undefined || writeBack.disable || writeBack.groups;
}

function nameOf(input: unknown): unknown {
  return typeof input === "object" && input !== null ? (input as { name?: unknown }).name : undefined;
}

async function lockByName(sql: Sql, name: unknown): Promise<ConnectionRow | undefined> {
  if (typeof name !== "string") return undefined;
  const { rows } = await sql.query<ConnectionRow>("select * from connections where name = $1 for update", [name]);
  return rows[0];
}

/** Column to value, as stored; the JSON ones as text. */
type Columns = Readonly<Record<string, string | number | boolean | null>>;

function columnsOf(definition: ConnectionDefinition, settings: Settings): Columns {
  return {
    settings: JSON.stringify(settings),
    schedule: definition.schedule ?? null,
    time_zone: definition.timeZone,
    enabled: definition.enabled,
    mapping: definition.mapping ? JSON.stringify(definition.mapping) : null,
    precedence: definition.precedence,
    limits: JSON.stringify(definition.limits),
    policy: JSON.stringify(definition.policy),
  };
}

async function insert(
  work: Work,
  { definition, keyRing }: { definition: ConnectionDefinition; keyRing: KeyRing },
): Promise<AddedConnection> {
  const { name, connector } = definition;
  const { settings, secrets } = sealSecrets(definition.settings, { connection: name, fields: secretFieldsOf(connector), keyRing });
  const columns: Columns = { name, connector, ...columnsOf(definition, settings), secrets: JSON.stringify(secrets) };
  const names = Object.keys(columns);
  const { rows } = await work.sql.query<{ id: number }>(
    `insert into connections (${names.join(", ")}, created_at, updated_at)
     values (${names.map((_, index) => `$${index + 2}`).join(", ")}, $1, $1)
     on conflict (name) do nothing
     returning id`,
    [work.ctx.now(), ...Object.values(columns)],
  );
  const row = rows[0];
  if (!row) throw new AppError("conflict", `Somebody else has just added a connection "${name}".`, { field: "name" });
  await recordEvent(work, { name: "connection.created", subjectType: "connection", subjectId: name, data: { name, connector } });
  return { id: row.id, name, created: true, changed: names };
}

interface UpdateOptions {
  existing: ConnectionRow;
  definition: ConnectionDefinition;
  keyRing: KeyRing;
  stored: Settings;
}

async function update(work: Work, { existing, definition, keyRing, stored }: UpdateOptions): Promise<AddedConnection> {
  const { name } = definition;
  const fields = secretFieldsOf(definition.connector);
  const { settings, secrets } = sealSecrets(definition.settings, { connection: name, fields, keyRing });
  const columns = columnsOf(definition, settings);
  const names = Object.keys(columns);
  const { rows } = await work.sql.query<Record<string, boolean>>(
    `select ${names.map((column, index) => `${column} is distinct from $${index + 2}${JSON_COLUMNS.has(column) ? "::jsonb" : ""} as ${column}`).join(", ")}
     from connections where id = $1`,
    [existing.id, ...Object.values(columns)],
  );
  const changed = names.filter((column) => rows[0]?.[column]);
  // Sealed texts differ each time; what they say is compared.
  if (!sameSecrets(stored, openSecrets({}, { connection: name, secrets, keyRing }))) changed.push("secrets");
  if (changed.length === 0) return { id: existing.id, name, created: false, changed };
  const before = openSecrets(existing.settings, { connection: name, secrets: existing.secrets, keyRing });
  await refuseOtherIssuer(work.sql, { existing, before, after: definition.settings });
  await work.sql.query(
    `update connections set ${names.map((column, index) => `${column} = $${index + 5}`).join(", ")}, secrets = $3, version = version + 1, updated_at = $2,
       mapping_version = mapping_version + case when $4 then 1 else 0 end
     where id = $1`,
    [
      existing.id,
      work.ctx.now(),
      JSON.stringify(secrets),
      changed.includes("mapping") || changed.includes("precedence"),
      ...Object.values(columns),
    ],
  );
  await forgetIdsOfOtherApplication(work, { existing, before, after: definition.settings });
  const policyBefore = policySchema.safeParse(existing.policy);
  // Nobody is marked for a connection that is disabled, or whose policy sends nothing: its next pass looks at everybody, as after a new policy (see provision/policy.ts).
  if (definition.enabled && !(existing.enabled && policyBefore.success && receives(policyBefore.data)))
    await work.sql.query("delete from watermarks where starts_with(key, $1)", [`policy:${existing.id}:`]);
  if (existing.enabled && !definition.enabled)
    await endSignIns(work, { connectionId: existing.id, reason: "the identity provider was taken out of use" });
  await recordEvent(work, { name: "connection.updated", subjectType: "connection", subjectId: name, data: { name, changed } });
  return { id: existing.id, name, created: false, changed };
}

const JSON_COLUMNS: ReadonlySet<string> = new Set(["settings", "mapping", "limits", "policy"]);

function secretFieldsOf(connector: string): readonly string[] {
  return connectors[connector]?.secretFields ?? [];
}

function sameSecrets(left: Settings, right: Settings): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** One line of `connection list`. */
export interface ConnectionSummary {
  id: number;
  name: string;
  connector: string;
  enabled: boolean;
  schedule: string | null;
  timeZone: string;
  state: ConnectionState;
  stateReason: string | null;
  precedence: number;
  /** Linked accounts of people. */
  people: number;
  /** Accounts that wait for a human. */
  disputed: number;
  lastRunAt: Date | null;
}

export async function listConnections(sql: Sql): Promise<ConnectionSummary[]> {
  const { rows } = await sql.query<ConnectionSummary>(
    `select c.id, c.name, c.connector, c.enabled, c.schedule, c.time_zone as "timeZone", c.state, c.state_reason as "stateReason", c.precedence,
       count(a.id) filter (where a.kind = 'user' and a.situation = 'linked' and a.gone_at is null) as people,
       count(a.id) filter (where a.situation = 'disputed' and a.gone_at is null) as disputed,
       c.last_run_at as "lastRunAt"
     from connections c left join accounts a on a.connection_id = c.id
     group by c.id order by c.name`,
  );
  return rows;
}

/** Takes out a connection that holds nothing yet. Throws `not_found`, or `conflict` when accounts or target accounts hang on it. */
export async function removeConnection(work: Work, { name }: { name: string }): Promise<void> {
  const row = await lockByName(work.sql, name);
  if (!row) throw new AppError("not_found", `There is no connection "${name}".`, { field: "connection" });
  const { rows } = await work.sql.query<{ accounts: number; projections: number }>(
    `select (select count(*) from accounts where connection_id = $1) as accounts, (select count(*) from projections where connection_id = $1) as projections`,
    [row.id],
  );
  const { accounts, projections } = rows[0] ?? { accounts: 0, projections: 0 };
  if (accounts || projections) {
    throw new AppError(
      "conflict",
      `The connection "${name}" holds ${accounts} accounts and keeps ${projections} at the other side; they would be left without anyone to answer for them. Set \`enabled: false\` in its definition and add it again with --replace.`,
      { field: "connection" },
    );
  }
  await leaveHooks(work, row.id);
  await endSignIns(work, { connectionId: row.id, reason: "the identity provider was removed" });
  // Its tokens go with it, by their foreign key.
  const { rows: tokens } = await work.sql.query<{ live: number }>(
    "select count(*) as live from tokens where connection_id = $1 and revoked_at is null",
    [row.id],
  );
  await work.sql.query("delete from connections where id = $1", [row.id]);
  const live = tokens[0]?.live ?? 0;
  if (live > 0)
    await recordEvent(work, {
      name: "token.revoked",
      subjectType: "connection",
      subjectId: name,
      reason: "its connection was removed",
      data: { count: live },
    });
  await recordEvent(work, { name: "connection.removed", subjectType: "connection", subjectId: name, data: { name } });
}
