import fc from "fast-check";
import type { JsonSchema } from "../../../src/http/api/openapi.ts";

/** Texts that break what trusts them. */
export const HOSTILE_TEXTS = [
  "",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "x\udfffy",
  "\u202e\u200b\ufeff",
  "__proto__",
  "constructor",
  "toString",
  "' or 1=1 --",
  "%",
  "\\",
  "../../etc/passwd",
  "${jndi:ldap://x}",
  "9".repeat(40),
  "-1",
  "1e309",
  "NaN",
  "null",
  "00000000-0000-0000-0000-000000000000",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999999999+23:59",
  "2027-02-30T00:00:00Z",
  "(".repeat(500),
  "🦊".repeat(300),
  "e\u0301",
] as const;

const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2_147_483_648,
  2 ** 60,
  1e308,
  [],
  [[]],
  [null],
  {},
  { $ne: null },
  JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}'),
];

const text = fc.constantFrom(...HOSTILE_TEXTS);
const anything = fc.oneof(text, fc.constantFrom(...HOSTILE_VALUES));

/** As deep as a body may not be, of lists or of objects. */
export const tooDeep = (levels: number, opening: "[" | '{"a":') =>
  opening.repeat(levels) + (opening === "[" ? "" : "1") + (opening === "[" ? "]" : "}").repeat(levels);

export interface Building {
  schemas: Readonly<Record<string, JsonSchema>>;
  /** Ids of things that are there. */
  ids: readonly string[];
}

/** Bodies as the schema has them, but with something wrong, extreme or dangerous in most places. */
export function hostileBody(schema: JsonSchema, { schemas, ids }: Building, depth = 0): fc.Arbitrary<unknown> {
  const inner = (each: JsonSchema) => hostileBody(each, { schemas, ids }, depth + 1);
  const reference = schema["$ref"];
  if (typeof reference === "string") return inner(schemas[reference.split("/").at(-1) ?? ""] ?? {});
  if (depth > 6) return anything;
  const choices = (schema["anyOf"] ?? schema["oneOf"]) as JsonSchema[] | undefined;
  if (choices?.length) return fc.oneof(...choices.map(inner));
  const wrong = { weight: 1, arbitrary: anything };
  if (schema["const"] !== undefined) return fc.oneof(wrong, { weight: 60, arbitrary: fc.constant(schema["const"]) });
  const values = schema["enum"] as unknown[] | undefined;
  if (values?.length) return fc.oneof(wrong, { weight: 60, arbitrary: fc.constantFrom(...values) });
  switch (schema["type"]) {
    case "object": {
      const properties = Object.entries((schema["properties"] as Record<string, JsonSchema> | undefined) ?? {});
      const required = (schema["required"] as string[] | undefined) ?? [];
      if (properties.length === 0) return fc.oneof(wrong, { weight: 4, arbitrary: fc.dictionary(text, anything, { maxKeys: 3 }) });
      const record = fc.record(Object.fromEntries(properties.map(([key, each]) => [key, inner(each)])), { requiredKeys: required });
      return fc.oneof(wrong, { weight: 60, arbitrary: record });
    }
    case "array":
      return fc.oneof(wrong, {
        weight: 6,
        arbitrary: fc.array(inner((schema["items"] as JsonSchema | undefined) ?? {}), { maxLength: 3 }),
      });
    case "string":
      return fc.oneof(wrong, { weight: 14, arbitrary: likely(schema, ids) });
    case "integer":
    case "number":
      return fc.oneof(wrong, { weight: 6, arbitrary: fc.constantFrom(1, 50, 2_147_483_647, 9_007_199_254_740_991) });
    case "boolean":
      return fc.oneof(wrong, { weight: 60, arbitrary: fc.boolean() });
    default:
      return anything;
  }
}

/** Texts that get past a schema, and on to what is behind it. */
function likely(schema: JsonSchema, ids: readonly string[]): fc.Arbitrary<string> {
  if (schema["format"] === "uuid") return fc.constantFrom(...ids, "00000000-0000-4000-8000-000000000000");
  if (schema["format"] === "date-time") return fc.constantFrom("2027-01-31T18:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z");
  if (schema["format"] === "email") return fc.constantFrom("a@example.org", `${"a".repeat(60)}@example.org`);
  if (schema["format"] === "uri") return fc.constantFrom("https://example.org/", `https://example.org/${"a".repeat(900)}`);
  return fc.constantFrom("rollcall-access-checker", "a", "x\ud800", "abc\u200b", "'; select 1", "🦊", "en", "local", ...ids);
}
