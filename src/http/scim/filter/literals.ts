import type { SchemaAttribute } from "../schema.ts";
import type { Comparison, FilterValue } from "./ast.ts";
import type { Token } from "./tokens.ts";

export const OPERATORS: ReadonlySet<string> = new Set(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
const PARTS: ReadonlySet<Comparison> = new Set(["co", "sw", "ew"]);
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-](0\d|1[0-4]):?\d\d)?)?$/i;

/** Years that both JavaScript and PostgreSQL write with four digits. */
const YEAR = /^(?!0000)\d{4}-/;

/** The value of a condition in its attribute's type, or why it can't be. */
export function comparisonValue({
  attribute,
  operator,
  literal,
}: {
  attribute: SchemaAttribute;
  operator: Comparison;
  literal: Token;
}): { value: FilterValue } | { problem: string } {
  const { text } = literal;
  const quoted = literal.kind === "string";
  const lower = text.toLowerCase();
  if (!quoted && lower === "null") {
    return operator === "eq" || operator === "ne" ? { value: null } : { problem: "null can only be compared with eq or ne" };
  }
  if (!quoted && lower !== "true" && lower !== "false" && !NUMBER.test(text))
    return { problem: `\`${text.slice(0, 40)}\` must be in double quotes` };
  switch (attribute.type) {
    case "boolean":
      if (lower !== "true" && lower !== "false") return { problem: `${attribute.name} is true or false` };
      return operator === "eq" || operator === "ne"
        ? { value: lower === "true" }
        : { problem: `${attribute.name} is true or false: only eq and ne apply` };
    case "integer":
    case "decimal":
      if (!NUMBER.test(text)) return { problem: `${attribute.name} is a number` };
      return PARTS.has(operator) ? { problem: `${attribute.name} is a number: ${operator} does not apply` } : { value: Number(text) };
    case "dateTime":
      if (PARTS.has(operator)) return { problem: `${attribute.name} is a date: ${operator} does not apply` };
      return instant(text) === undefined
        ? { problem: `${attribute.name} is a date such as "2011-05-13T04:42:34Z"` }
        : { value: instant(text) ?? null };
    case "binary":
      return operator === "eq" || operator === "ne" ? { value: text } : { problem: `${attribute.name} is binary: only eq and ne apply` };
    default:
      return { value: text };
  }
}

const XSD = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/;

/** Whether this is an xsd:dateTime as RFC 7643 section 2.3.5 has it, or a day, which is taken for its beginning. */
export function isXsdDateTime(text: string): boolean {
  return XSD.test(text) || text.length === 10;
}

/** What `instant` understands as an xsd:dateTime: with seconds, and with a colon in its offset. */
export function xsdDateTime(text: string): string {
  if (text.length === 10) return `${text}T00:00:00Z`;
  return text
    .toUpperCase()
    .replace(/([+-]\d\d)(\d\d)$/, "$1:$2")
    .replace(/(T\d\d:\d\d)(?!:\d\d)/, "$1:00");
}

/** A date and time in one form, so that it can be compared; without a zone it is taken as UTC. */
export function instant(text: string): string | undefined {
  if (!DATE_TIME.test(text)) return undefined;
  const [year, month, day] = text.slice(0, 10).split("-").map(Number) as [number, number, number];
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text) || text.length === 10 ? text : `${text}Z`;
  const at = new Date(zoned);
  if (Number.isNaN(at.getTime())) return undefined;
  const iso = at.toISOString();
  return YEAR.test(iso) ? iso : undefined;
}
