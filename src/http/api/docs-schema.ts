import type { JsonSchema } from "./openapi.ts";

/** How deep objects are shown in objects; what lies deeper stands in the document. */
const DEEPEST = 3;

/** A schema as HTML: its fields as a table, and its choices one after another. */
export function schemaHtml(schema: JsonSchema, depth = 0): string {
  const choices = choicesOf(schema);
  if (choices?.some(({ properties }) => properties !== undefined) && depth < DEEPEST)
    return choices.map((each) => schemaHtml(each, depth + 1)).join("<p>or</p>");
  const properties = schema["properties"] as Record<string, JsonSchema> | undefined;
  if (!properties) return `<p>${typeText(schema)}</p>`;
  const required = new Set((schema["required"] as string[] | undefined) ?? []);
  const rows = Object.entries(properties).map(([name, each]) => {
    const inner = innerOf(each);
    const description = prose(String(each["description"] ?? ""));
    return `<tr><td><code>${escape(name)}</code>${required.has(name) ? "" : "?"}</td><td>${typeText(each)}${boundsText(each)}</td><td>${description}${inner && depth < DEEPEST ? schemaHtml(inner, depth + 1) : ""}</td></tr>`;
  });
  return `<div class="wide"><table>${rows.join("")}</table></div>`;
}

/** What it is, in a few words. */
export function typeText(schema: JsonSchema): string {
  const reference = schema["$ref"];
  if (typeof reference === "string") {
    const name = reference.split("/").at(-1) ?? "";
    return `<a href="#schema-${anchor(name)}">${escape(name)}</a>`;
  }
  const choices = choicesOf(schema);
  if (choices) return [...new Set(choices.map(typeText))].join(" or ");
  const values = schema["enum"] as unknown[] | undefined;
  if (values) return values.map((value) => `<code>${escape(String(value))}</code>`).join(", ");
  if ("const" in schema) return `<code>${escape(String(schema["const"]))}</code>`;
  if (schema["type"] === "array") return `list of ${typeText((schema["items"] as JsonSchema | undefined) ?? {})}`;
  const named = [schema["type"], schema["format"]].filter((each) => each !== undefined).map(String);
  return escape(named.join(", ") || "anything");
}

/** What its values keep to, as far as somebody who fills it in has to know. */
export function boundsText(schema: JsonSchema): string {
  const whole = Object.assign({}, ...(choicesOf(schema) ?? []), schema) as JsonSchema;
  const said: [string, string][] = [
    ["default", "when absent"],
    ["minimum", "at least"],
    ["maximum", "at most"],
    ["minItems", "items, at least"],
    ["maxItems", "items, at most"],
    ["maxLength", "letters, at most"],
  ];
  const bounds = said.flatMap(([key, words]) => {
    const value = whole[key];
    // The bounds of the number itself (2^53) and empty defaults say nothing.
    if (value === undefined || (typeof value === "number" && Math.abs(value) >= Number.MAX_SAFE_INTEGER)) return [];
    return [`${words} ${escape(JSON.stringify(value))}`];
  });
  return bounds.length === 0 ? "" : ` <small>(${bounds.join("; ")})</small>`;
}

function choicesOf(schema: JsonSchema): JsonSchema[] | undefined {
  return (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
}

/** The object in a field: itself, what its list is of, or what it may be beside null. */
function innerOf(schema: JsonSchema): JsonSchema | undefined {
  if (schema["properties"] !== undefined) return schema;
  const within = schema["type"] === "array" ? (schema["items"] as JsonSchema | undefined) : choicesOf(schema)?.find(innerOf);
  return within && innerOf(within);
}

export function anchor(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

/** Text in which what stands between backticks is code. */
export function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
