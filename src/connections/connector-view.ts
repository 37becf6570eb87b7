import { z } from "zod";
import { connectors } from "../../connectors/registry.ts";

type JsonObject = Record<string, unknown>;

/** A kind of system that can be connected, with its settings for a form. */
export interface ConnectorView {
  name: string;
  title: string;
  /** People, groups or units are read from it. */
  reads: boolean;
  /** It receives accounts. */
  receives: boolean;
  /** It can be written back to. */
  writesBack: boolean;
  /** It tells of changes by calls. */
  notifies: boolean;
  /** Dotted names of the settings that are secrets. */
  secretFields: string[];
  /** JSON Schema (2020-12) of its settings, as they are given; secrets are `writeOnly`, every field has a title. */
  settings: JsonObject;
}

/** Every connector there is, by name. */
export function connectorViews(): ConnectorView[] {
  return Object.values(connectors)
    .map((connector) => ({
      name: connector.name,
      title: connector.title,
      reads: connector.openSource !== undefined,
      receives: connector.openTarget !== undefined,
      writesBack: connector.openWriteBack !== undefined,
      notifies: connector.hooks !== undefined,
      secretFields: [...connector.secretFields],
      settings: settingsSchema(connector),
    }))
    .toSorted((first, second) => (first.name < second.name ? -1 : 1));
}

function settingsSchema({ settings, secretFields }: { settings: z.ZodType; secretFields: readonly string[] }): JsonObject {
  // Refinements across fields have no words in JSON Schema: saving says what they find.
  const schema = z.toJSONSchema(settings, { io: "input", unrepresentable: "any", reused: "inline" }) as JsonObject;
  titled(schema);
  for (const field of secretFields) markSecret(schema, field.split("."));
  return schema;
}

const BRANCHES = ["anyOf", "oneOf", "allOf"] as const;

function branchesOf(schema: JsonObject): JsonObject[] {
  return BRANCHES.flatMap((key) => (Array.isArray(schema[key]) ? (schema[key] as unknown[]).filter(isObject) : []));
}

/** Wherever it stands: settings may be one of several shapes. */
function markSecret(schema: JsonObject, [name = "", ...rest]: readonly string[]): void {
  for (const branch of branchesOf(schema)) markSecret(branch, [name, ...rest]);
  const field = propertiesOf(schema)[name];
  if (!field) return;
  if (rest.length > 0) markSecret(field, rest);
  else field["writeOnly"] = true;
}

function titled(schema: JsonObject): void {
  for (const branch of branchesOf(schema)) titled(branch);
  for (const [name, field] of Object.entries(propertiesOf(schema))) {
    field["title"] ??= titleOf(name);
    titled(field);
  }
  if (isObject(schema["items"])) titled(schema["items"]);
}

function propertiesOf({ properties }: JsonObject): Record<string, JsonObject> {
  return isObject(properties) ? (properties as Record<string, JsonObject>) : {};
}

/** `bindPassword` → `Bind password`. */
function titleOf(name: string): string {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
