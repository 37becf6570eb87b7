import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AppError } from "../../../src/errors.ts";
import { coerceResource } from "../../../src/http/scim/coerce.ts";
import type { JsonObject, JsonValue } from "../../../src/http/scim/json.ts";
import { applyPatch } from "../../../src/http/scim/patch/apply.ts";
import { readOperations } from "../../../src/http/scim/patch/operations.ts";
import type { AttributeMap, ResourceSchema, SchemaAttribute } from "../../../src/http/scim/schema.ts";
import { patchByTheRfc, Refused, type Described, type NaiveOperation } from "./patch-by-the-rfc.ts";

const CORE = "urn:test:Thing";
const SUBS = ["value", "type", "primary", "note"];

const plain = (name: string, more: Partial<SchemaAttribute> = {}): SchemaAttribute => ({
  name,
  type: "string",
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: "readWrite",
  returned: "default",
  subAttributes: new Map(),
  ...more,
});
const byName = (attributes: readonly SchemaAttribute[]): AttributeMap => new Map(attributes.map((one) => [one.name.toLowerCase(), one]));

function attributeOf({ name, kind, required = false, readOnly }: Described): SchemaAttribute {
  const mutability = readOnly ? "readOnly" : "readWrite";
  if (kind === "single" || kind === "list") return plain(name, { required, mutability, multiValued: kind === "list" });
  const subs =
    kind === "complex" ? [plain("one"), plain("two")] : SUBS.map((sub) => plain(sub, sub === "primary" ? { type: "boolean" } : {}));
  return plain(name, { type: "complex", required, mutability, multiValued: kind === "records", subAttributes: byName(subs) });
}

const schemaOf = (attributes: readonly Described[]): ResourceSchema => ({
  type: "User",
  endpoint: "/Users",
  urn: CORE,
  attributes: byName(attributes.map(attributeOf)),
  extensions: [],
});

const word = fc.constantFrom("a", "b", "A", "c");
const type = fc.constantFrom("work", "home", "Work");
const record = fc.record({ value: word, type, primary: fc.boolean(), note: word }, { requiredKeys: ["value"] });
const records = fc.array(record, { maxLength: 3 });
const pair = fc.record({ one: word, two: word }, { requiredKeys: [] });
const nothing = fc.constantFrom<JsonValue>(null);

const described = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom("alpha", "beta", "gamma", "delta", "epsilon"),
      kind: fc.constantFrom<Described["kind"]>("single", "complex", "list", "records"),
      required: fc.boolean(),
      readOnly: fc.constantFrom(false, false, false, true),
    }),
    { selector: ({ name }) => name, minLength: 1 },
  )
  .map((all) => all.map((one) => ({ ...one, required: one.required && one.kind === "single" && !one.readOnly })));

function valueOf({ kind }: Described): fc.Arbitrary<JsonValue> {
  if (kind === "single") return word;
  if (kind === "complex") return fc.record({ one: word, two: word });
  return kind === "list"
    ? fc.uniqueArray(word, { minLength: 1 })
    : (fc.array(record, { minLength: 1, maxLength: 3 }) as fc.Arbitrary<JsonValue>);
}

function pathed(one: Described): fc.Arbitrary<NaiveOperation> {
  const { name: attribute, kind } = one;
  const any = fc.constantFrom<NaiveOperation["op"]>("add", "replace", "remove");
  const writes = fc.constantFrom<NaiveOperation["op"]>("add", "replace");
  const whole: fc.Arbitrary<JsonValue> =
    kind === "single"
      ? fc.oneof(word, nothing)
      : kind === "complex"
        ? fc.oneof(pair, nothing)
        : kind === "list"
          ? fc.array(word, { maxLength: 3 })
          : (records as fc.Arbitrary<JsonValue>);
  const forms: fc.Arbitrary<NaiveOperation>[] = [
    fc.record({ op: writes, path: fc.constant({ attribute }), value: whole }),
    fc.record({ op: fc.constant("remove" as const), path: fc.constant({ attribute }) }),
  ];
  if (kind === "complex")
    forms.push(
      fc.record({
        op: any,
        path: fc.record({ attribute: fc.constant(attribute), sub: fc.constantFrom("one", "two") }),
        value: fc.oneof(word, nothing),
      }),
    );
  if (kind === "list" || kind === "records")
    forms.push(
      fc.record({
        op: fc.constant("remove" as const),
        path: fc.constant({ attribute }),
        value: kind === "list" ? fc.array(word, { maxLength: 2 }) : (records as fc.Arbitrary<JsonValue>),
      }),
    );
  if (kind === "records") {
    const chosen = fc.record({ attribute: fc.constant(attribute), type });
    forms.push(
      fc.record({ op: any, path: chosen, value: record as fc.Arbitrary<JsonValue> }),
      ...["value", "note"].map((sub) =>
        fc.record({ op: any, path: chosen.map((path) => ({ ...path, sub })), value: fc.oneof(word, nothing) }),
      ),
      fc.record({ op: writes, path: chosen.map((path) => ({ ...path, sub: "primary" })), value: fc.boolean() }),
    );
  }
  return fc.oneof(...forms);
}

const cases = described.chain((attributes) =>
  fc.record({
    attributes: fc.constant(attributes),
    resource: fc
      .tuple(...attributes.map((one) => fc.option(valueOf(one), { nil: undefined, freq: one.required ? 1e9 : 3 })))
      .map((values) =>
        Object.fromEntries(
          attributes.flatMap((one, at): [string, JsonValue][] =>
            values[at] === undefined || one.readOnly ? [] : [[one.name, values[at]]],
          ),
        ),
      ),
    operations: fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...attributes).chain(pathed) },
        {
          weight: 1,
          arbitrary: fc.record({
            op: fc.constantFrom<NaiveOperation["op"]>("add", "replace"),
            value: fc
              .tuple(...attributes.map((one) => fc.option(valueOf(one), { nil: undefined })))
              .map((values) =>
                Object.fromEntries(
                  attributes.flatMap((one, at): [string, JsonValue][] => (values[at] === undefined ? [] : [[one.name, values[at]]])),
                ),
              ),
          }),
        },
        { weight: 1, arbitrary: fc.constant<NaiveOperation>({ op: "replace", path: { attribute: "omega" }, value: "x" }) },
      ),
      { minLength: 1, maxLength: 5 },
    ),
    createsAbsent: fc.boolean(),
    upper: fc.boolean(),
  }),
);

/** As a client would send it, in its own case and with the schema's URN or without. */
function asSent({ op, path, value }: NaiveOperation, upper: boolean): JsonObject {
  if (!path) return { op, value: value ?? null };
  const text = `${upper ? `${CORE}:${path.attribute.toUpperCase()}` : path.attribute}${path.type === undefined ? "" : `[${upper ? "TYPE" : "type"} eq "${path.type}"]`}${path.sub === undefined ? "" : `.${path.sub}`}`;
  return { op: upper ? op.toUpperCase() : op, path: text, ...(value === undefined ? {} : { value }) };
}

function outcome(work: () => JsonObject): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused) return { refused: error.scimType };
    if (error instanceof AppError) return { refused: error.scimType };
    throw error;
  }
}

describe("M1: PATCH beside the RFC's own words", () => {
  test("any schema, resource and operations end the same, or are refused for the same reason", () => {
    const seed = Number(process.env["PATCH_SEED"] ?? Date.now() % 2 ** 31);
    process.stderr.write(`PATCH_SEED=${seed}\n`);
    const counts = { applied: 0, refused: 0 };
    fc.assert(
      fc.property(cases, ({ attributes, resource: raw, operations, createsAbsent, upper }) => {
        const schema = schemaOf(attributes);
        const resource = coerceResource(schema, raw);
        const expected = outcome(() => patchByTheRfc(resource, { attributes, operations, createsAbsent }));
        const actual = outcome(() =>
          applyPatch(resource, {
            schema,
            operations: readOperations(schema, { Operations: operations.map((operation) => asSent(operation, upper)) }),
            createsAbsent,
          }),
        );
        expect(actual).toEqual(expected);
        counts[typeof actual === "object" && actual !== null && "refused" in actual ? "refused" : "applied"] += 1;
      }),
      { seed, numRuns: 4000 * Number(process.env["FUZZ_TIMES"] ?? 1) },
    );
    expect(counts.applied).toBeGreaterThan(1000);
    expect(counts.refused).toBeGreaterThan(300);
  });
});
