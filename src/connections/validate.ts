import { isDeepStrictEqual } from "node:util";
import cron from "node-cron";
import type { z } from "zod";
import type { Kind } from "../../connectors/contract.ts";
import { connectors } from "../../connectors/registry.ts";
import { AppError, type Problem } from "../errors.ts";
import { compileExpression, type ExpectedType } from "../expressions/compile.ts";
import type { Subject } from "../expressions/environment.ts";
import { connectionDefinitionSchema, type ConnectionDefinition } from "./definition.ts";
import { localPathProblems } from "./local-paths.ts";
import { expectedOf, knownKeys, typedElement } from "./mapping-keys.ts";
import { resolveSecrets, valueAt, withValue, type SecretSources, type Settings } from "./secrets.ts";

export interface ValidateOptions {
  sources?: SecretSources;
  /** Secrets that are already stored: a definition that replaces may leave them out. */
  stored?: Settings;
  /** Which files of this server the settings may name. Absent = any: who gives commands here can read them anyway. */
  files?: AllowedFiles;
}

export interface AllowedFiles {
  /** Folders in which new paths must be. */
  folders: readonly string[];
  /** The settings as they are stored: a path that stays is not judged again. */
  stored?: Settings;
}

type Plain = Readonly<Record<string, unknown>>;

/**
 * Reads a definition as an administrator wrote it: its shape, the connector's own settings, schedule, time zone, and
 * every expression, type-checked. Returns it with secrets resolved. Throws `invalid` with every problem at once.
 */
export function validateDefinition(input: unknown, { sources = {}, stored = {}, files }: ValidateOptions = {}): ConnectionDefinition {
  const raw = plain(input);
  const shape = connectionDefinitionSchema.safeParse(input);
  const settings = checkSettings(raw, { sources, stored, files });
  const problems = [
    ...(shape.success
      ? []
      : shape.error.issues.map((issue) => ({ field: issue.path.map(String).join(".") || "definition", message: sentenceOf(issue) }))),
    ...settings.problems,
    ...scheduleProblems(raw),
    ...mappingProblems(raw),
    ...provisionProblems(raw),
    ...(shape.success ? consistencyProblems(shape.data) : []),
  ];
  if (problems.length || !shape.success) {
    const name = typeof raw["name"] === "string" ? `"${raw["name"]}"` : "(without a name)";
    throw new AppError("invalid", `The connection ${name} is refused; nothing was changed.`, { problems });
  }
  return { ...shape.data, settings: { ...settings.settings } };
}

function checkSettings(
  raw: Plain,
  { sources, stored, files }: { sources: SecretSources; stored: Settings; files: AllowedFiles | undefined },
): { settings: Settings; problems: Problem[] } {
  const given = plain(raw["settings"]);
  const name = raw["connector"];
  if (typeof name !== "string") return { settings: given, problems: [] };
  const connector = Object.hasOwn(connectors, name) ? connectors[name] : undefined;
  if (!connector) {
    return {
      settings: given,
      problems: [{ field: "connector", message: `there is no connector "${name}"; there are ${Object.keys(connectors).join(", ")}` }],
    };
  }
  const resolved = resolveSecrets(given, { fields: connector.secretFields, sources });
  let settings = resolved.settings;
  const elsewhere =
    files && connector.destinations?.find((field) => !isDeepStrictEqual(valueAt(given, field), valueAt(files.stored ?? {}, field)));
  const withheld: Problem[] = [];
  for (const field of connector.secretFields) {
    const [parent = field] = /^.+(?=\.)/.exec(field) ?? [];
    // Where a definition leaves out a whole part, the part's secrets go with it.
    const kept = parent === field || valueAt(given, parent) !== undefined;
    if (!kept || valueAt(given, field) !== undefined || valueAt(stored, field) === undefined) continue;
    if (elsewhere === undefined) settings = withValue(settings, { field, value: valueAt(stored, field) });
    else
      withheld.push({
        field: `settings.${field}`,
        message: `must be given again: settings.${elsewhere} is another now, and what is stored is sent only where it was meant to go`,
      });
  }
  const result = connector.settings.safeParse(settings);
  const unresolved = new Set([...resolved.problems, ...withheld].map(({ field }) => field));
  const problems = result.success
    ? []
    : result.error.issues.map((issue) => ({ field: ["settings", ...issue.path.map(String)].join("."), message: sentenceOf(issue) }));
  const { folders, stored: storedSettings = {} } = files ?? {};
  const places = folders && localPathProblems(settings, { fields: connector.localPaths ?? [], folders, stored: storedSettings });
  return {
    settings,
    problems: [...resolved.problems, ...withheld, ...problems.filter(({ field }) => !unresolved.has(field)), ...(places ?? [])],
  };
}

/** Zod names what it got instead, which is nothing to whoever left a line out. */
function sentenceOf({ code, message }: z.core.$ZodIssue): string {
  return code === "invalid_type" && message.endsWith("received undefined") ? "is missing" : message;
}

function scheduleProblems(raw: Plain): Problem[] {
  const problems: Problem[] = [];
  const expressions: [string, unknown][] = [
    ["schedule", raw["schedule"]],
    ["policy.provision.reconcile", plain(plain(raw["policy"])["provision"])["reconcile"]],
  ];
  for (const [field, value] of expressions) {
    if (typeof value !== "string") continue;
    if (!cron.validate(value)) {
      problems.push({
        field,
        message: `"${value}" is not a cron expression; five or six fields, such as "*/15 * * * *" for every quarter of an hour`,
      });
    } else if (cron.parse(value).second.length > 1) {
      problems.push({ field, message: `"${value}" strikes more than once a minute, sooner than a run ends; name one second, or none` });
    }
  }
  const zones: [string, unknown][] = [
    ["timeZone", raw["timeZone"]],
    ["mapping.employment.timeZone", plain(plain(raw["mapping"])["employment"])["timeZone"]],
  ];
  for (const [field, zone] of zones) {
    if (typeof zone === "string" && !isTimeZone(zone))
      problems.push({ field, message: `"${zone}" is not a time zone; use an IANA name such as Europe/Oslo` });
  }
  return problems;
}

function isTimeZone(zone: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const KINDS: readonly Kind[] = ["user", "group", "unit"];

function mappingProblems(raw: Plain): Problem[] {
  const mapping = plain(raw["mapping"]);
  return KINDS.flatMap((kind) => {
    const { scope, attributes } = plain(mapping[kind]);
    return [
      ...expressionProblems({ source: scope, subject: "account", expects: "bool", field: `mapping.${kind}.scope` }),
      ...Object.entries(plain(attributes)).flatMap(([key, value]) => {
        const field = `mapping.${kind}.attributes.${key}`;
        const expects = expectedOf(kind, key);
        if (!expects) return [{ field, message: `there is no ${kind} attribute "${key}"; there are ${knownKeys(kind)}` }];
        return expressionProblems({
          source: typeof value === "string" ? value : plain(value)["value"],
          subject: "account",
          expects,
          field,
        });
      }),
    ];
  });
}

function provisionProblems(raw: Plain): Problem[] {
  const { scope, attributes } = plain(plain(raw["policy"])["provision"]);
  return [
    ...expressionProblems({ source: scope, subject: "person", expects: "bool", field: "policy.provision.scope" }),
    ...Object.entries(plain(attributes)).flatMap(([key, source]) =>
      expressionProblems({ source, subject: "person", expects: "any", field: `policy.provision.attributes.${key}` }),
    ),
  ];
}

/** What the shape says about something that is no text is enough: only texts are compiled. */
function expressionProblems({
  source,
  subject,
  expects,
  field,
}: {
  source: unknown;
  subject: Subject;
  expects: ExpectedType;
  field: string;
}): Problem[] {
  if (typeof source !== "string" || source === "") return [];
  try {
    compileExpression({ source, subject, expects, field, isNew: true });
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ field, message: error.message.startsWith(`${field}: `) ? error.message.slice(field.length + 2) : error.message }];
  }
}

/** What the parts must agree on between them. */
function consistencyProblems(definition: ConnectionDefinition): Problem[] {
  const { connector: name, mapping, policy } = definition;
  const connector = Object.hasOwn(connectors, name) ? connectors[name] : undefined;
  if (!connector) return [];
  const problems: Problem[] = [];
  if (policy.provision && !connector.openTarget)
    problems.push({ field: "policy.provision", message: `the connector ${name} can't receive people` });
  if ((policy.writeBack.disable || policy.writeBack.groups) && !connector.openWriteBack)
    problems.push({ field: "policy.writeBack", message: `the connector ${name} can't be written back to` });
  if (policy.notifications.enabled && !connector.hooks)
    problems.push({ field: "policy.notifications", message: `the connector ${name} knows no change notifications` });
  if (definition.schedule && !connector.openSource)
    problems.push({ field: "schedule", message: `the connector ${name} is not read on a schedule` });
  const keys = Object.keys(mapping?.user?.attributes ?? {});
  if (mapping?.user && mapping.situations.unmatched === "create" && !keys.includes("userName")) {
    problems.push({
      field: "mapping.user.attributes.userName",
      message: "is needed to create people; map it, or set mapping.situations.unmatched to ignore",
    });
  }
  if (mapping?.user) {
    const mapped = new Set(keys.map((key) => typedElement(key)?.list ?? key));
    for (const [index, key] of mapping.match.entries()) {
      if (!mapped.has(key))
        problems.push({ field: `mapping.match.${index}`, message: `matches on ${key}, which mapping.user.attributes does not fill` });
    }
  }
  if (mapping?.group && !mapping.group.attributes["displayName"])
    problems.push({ field: "mapping.group.attributes.displayName", message: "is needed: a group has a name" });
  if (mapping?.unit && !mapping.unit.attributes["name"])
    problems.push({ field: "mapping.unit.attributes.name", message: "is needed: a unit has a name" });
  return problems;
}

function plain(value: unknown): Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Plain) : {};
}
