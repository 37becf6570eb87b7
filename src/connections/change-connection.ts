import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import type { ConnectionRow } from "./open.ts";
import { openSecrets } from "./secrets.ts";
import { addConnection, type AddedConnection } from "./store.ts";
import { validateDefinition } from "./validate.ts";
import type { ConnectionDefinition } from "./definition.ts";

/** What of a definition is to be another; each part is replaced whole, and null takes it away. Secrets that are left out stay. */
export type ConnectionChange = Readonly<Record<string, unknown>>;

export interface ChangeOptions {
  change: ConnectionChange;
  keyRing: KeyRing;
  /** Folders in which files that the settings name must be, when they are new. */
  folders: readonly string[];
}

/** Changes a stored connection, in the caller's transaction. Throws `invalid` with every problem, named as in a definition. */
export async function changeConnection(
  work: Work,
  { row, change, keyRing, folders }: ChangeOptions & { row: ConnectionRow },
): Promise<AddedConnection> {
  return addConnection(work, { definition: changedDefinition(row, change), keyRing, folders, replace: true });
}

/** The definition as it would be, validated and with its secrets. Throws `invalid` with every problem. */
export function tryDefinition(row: ConnectionRow, { change, keyRing, folders }: ChangeOptions): ConnectionDefinition {
  const stored = openSecrets({}, { connection: row.name, secrets: row.secrets, keyRing });
  return validateDefinition(changedDefinition(row, change), { stored, files: { folders, stored: row.settings } });
}

function changedDefinition(row: ConnectionRow, change: ConnectionChange): Record<string, unknown> {
  for (const field of ["name", "connector"] as const)
    if (change[field] !== undefined && change[field] !== row[field])
      throw new AppError("invalid", `${field}: a connection keeps it; add another connection, and remove this one.`, { field });
  const { name, connector, settings, schedule, enabled, precedence, mapping, limits, policy } = row;
  const definition = {
    settings,
    schedule,
    timeZone: row.time_zone,
    enabled,
    precedence,
    mapping,
    limits,
    policy,
    ...change,
    name,
    connector,
  };
  return Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== null));
}
