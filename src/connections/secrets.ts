import { readFileSync } from "node:fs";
import path from "node:path";
import { open, seal, type KeyRing } from "../db/envelope.ts";
import { messageOf, type Problem } from "../errors.ts";

/** A connector's settings, as plain JSON. */
export type Settings = Readonly<Record<string, unknown>>;

/** Sealed secrets: dotted field name to envelope. */
export type SealedSecrets = Readonly<Record<string, string>>;

export interface SecretSources {
  /** Where `{ env: NAME }` is looked up. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** What `{ file: PATH }` is relative to: the folder of the definition's own file. Absent: no file is read. */
  folder?: string;
}

/** What a secret is sealed for: it opens for this connection and field only. */
export function secretPurpose({ connection, field }: { connection: string; field: string }): string {
  return `connection.${connection}.${field}`;
}

/**
 * Replaces `{ env: NAME }` and `{ file: PATH }` in secret fields by what they name, so that a definition's file holds
 * no secret. What cannot be found is a problem of that field; the other fields go on.
 */
export function resolveSecrets(
  settings: Settings,
  { fields, sources }: { fields: readonly string[]; sources: SecretSources },
): { settings: Settings; problems: Problem[] } {
  const problems: Problem[] = [];
  let resolved = settings;
  for (const field of fields) {
    const value = valueAt(settings, field);
    const reference = secretReference(value);
    if (!reference) continue;
    const found = reference.kind === "env" ? fromEnvironment(reference.name, sources) : fromFile(reference.name, sources);
    if ("problem" in found) problems.push({ field: `settings.${field}`, message: found.problem });
    resolved = withValue(resolved, { field, value: "value" in found ? found.value : undefined });
  }
  return { settings: resolved, problems };
}

type Found = { value: string } | { problem: string };

function secretReference(value: unknown): { kind: "env" | "file"; name: string } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value);
  const [kind, name] = entries[0] ?? [];
  if (entries.length !== 1 || typeof name !== "string") return undefined;
  return kind === "env" || kind === "file" ? { kind, name } : undefined;
}

/** Who has no files and variables of this server, as a caller of the API, must not read them through a connection of theirs. */
const GIVEN_ITSELF = "must be given itself: files and variables are read only from the command line";

function fromEnvironment(name: string, { environment }: SecretSources): Found {
  if (!environment) return { problem: GIVEN_ITSELF };
  const value = environment[name];
  return value ? { value } : { problem: `the environment variable ${name} is not set` };
}

function fromFile(name: string, { folder }: SecretSources): Found {
  if (folder === undefined) return { problem: GIVEN_ITSELF };
  const file = path.resolve(folder, name);
  try {
    // Editors and `echo` end a file with a line break that is no part of the secret.
    return { value: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return { problem: `the file ${file} can't be read (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})` };
  }
}

/** Takes the secrets out of the settings and seals each. */
export function sealSecrets(
  settings: Settings,
  { connection, fields, keyRing }: { connection: string; fields: readonly string[]; keyRing: KeyRing },
): { settings: Settings; secrets: SealedSecrets } {
  const secrets: Record<string, string> = {};
  let clear = settings;
  for (const field of fields) {
    const value = valueAt(settings, field);
    if (value === undefined) continue;
    secrets[field] = seal(keyRing.current, { purpose: secretPurpose({ connection, field }), plain: JSON.stringify(value) });
    clear = withValue(clear, { field, value: undefined });
  }
  return { settings: clear, secrets };
}

/** Puts the opened secrets back where they belong. Throws `misconfigured` when the key that sealed them is missing. */
export function openSecrets(
  settings: Settings,
  { connection, secrets, keyRing }: { connection: string; secrets: SealedSecrets; keyRing: KeyRing },
): Settings {
  let whole = settings;
  for (const [field, sealed] of Object.entries(secrets)) {
    whole = withValue(whole, {
      field,
      value: JSON.parse(open(keyRing, { purpose: secretPurpose({ connection, field }), sealed })) as unknown,
    });
  }
  return whole;
}

/** The value at a dotted field name. */
export function valueAt(settings: Settings, field: string): unknown {
  return field
    .split(".")
    .reduce<unknown>((value, key) => (typeof value === "object" && value !== null ? (value as Settings)[key] : undefined), settings);
}

/** A copy with the value at a dotted field name set, or taken out when it is undefined. */
export function withValue(settings: Settings, { field, value }: { field: string; value: unknown }): Settings {
  const [head = "", ...rest] = field.split(".");
  const { [head]: inner, ...others } = settings;
  if (rest.length === 0) return value === undefined ? others : { ...others, [head]: value };
  const nested = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? (inner as Settings) : {};
  if (value === undefined && inner === undefined) return settings;
  return { ...others, [head]: withValue(nested, { field: rest.join("."), value }) };
}
