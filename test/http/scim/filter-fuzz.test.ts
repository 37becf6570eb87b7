import { randomInt, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { satisfies } from "../../../src/http/scim/filter/evaluate.ts";
import { parseFilter } from "../../../src/http/scim/filter/parse.ts";
import { filterSql } from "../../../src/http/scim/filter/sql.ts";
import type { JsonObject } from "../../../src/http/scim/json.ts";
import type { ResourceSchema, SchemaAttribute } from "../../../src/http/scim/schema.ts";
import { parameters, type View } from "../../../src/http/scim/view.ts";
import { testDatabase, type TestDatabase } from "../../helpers/database.ts";
import { naively, type NaiveAttribute, type NaiveResource, type NaiveSchema } from "./naive-filter.ts";

/** FUZZ_TIMES=50 looks fifty times as long. */
const TIMES = Number(process.env["FUZZ_TIMES"] ?? 1);
const SCHEMAS = 25 * TIMES;
const FILTERS = 80;
const RESOURCES = 14;
const URN = "urn:example:params:scim:schemas:Thing";
const EXTENSION = "urn:example:params:scim:schemas:extension:2.0:Thing";
const OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"] as const;

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query("create table things (id uuid primary key, document jsonb not null)");
});
afterAll(() => db.drop());

const word = fc.constantFrom(
  "ann",
  "ANN",
  "Ann Bob",
  "bob",
  "a%b",
  "A_B",
  'q"uote',
  "back\\slash",
  "(x) and [y]",
  "",
  "zed",
  "Émile",
  "émile",
  "not",
  "null",
  "10",
  "9",
);
const instants = fc.integer({ min: 0, max: 5 }).map((second) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 500)).toISOString());

const attributeOf = (depth: number): fc.Arbitrary<Omit<NaiveAttribute, "name">> =>
  fc
    .record({
      type: fc.constantFrom<NaiveAttribute["type"]>(
        "string",
        "string",
        "boolean",
        "integer",
        "decimal",
        "dateTime",
        ...(depth ? (["complex", "complex"] as const) : []),
      ),
      multiValued: depth ? fc.boolean() : fc.constant(false),
      caseExact: fc.boolean(),
      subAttributes: depth ? attributes(0, ["value", "type", "primary", "Label"]) : fc.constant([]),
    })
    .map((attribute) => (attribute.type === "complex" ? attribute : { ...attribute, subAttributes: [] }));

function attributes(depth: number, names: readonly string[]): fc.Arbitrary<NaiveAttribute[]> {
  return fc.tuple(...names.map((name) => attributeOf(depth).map((attribute) => ({ ...attribute, name }))));
}

const schema: fc.Arbitrary<NaiveSchema> = fc
  .tuple(attributes(1, ["alpha", "Beta", "gammaRay", "delta", "eps"]), attributes(1, ["alpha", "omega"]))
  .map(([core, extension]) => ({ urn: URN, attributes: core, extensions: [{ urn: EXTENSION, attributes: extension }] }));

function valueOf(attribute: NaiveAttribute): fc.Arbitrary<unknown> {
  switch (attribute.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: -3, max: 12 });
    case "decimal":
      return fc.constantFrom(-1.5, 0, 0.25, 2, 10, 1e3);
    case "dateTime":
      return instants;
    case "complex":
      return objectOf(attribute.subAttributes);
    default:
      return word;
  }
}

function objectOf(list: readonly NaiveAttribute[]): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(
    Object.fromEntries(
      list.map((attribute) => [
        attribute.name,
        attribute.multiValued ? fc.array(valueOf(attribute), { maxLength: 3 }) : valueOf(attribute),
      ]),
    ),
    { requiredKeys: [] },
  );
}

/** Names in any case, with and without the URN; parts only of texts, true and false only compared for being the same. */
function conditionOn(attribute: NaiveAttribute, name: string): fc.Arbitrary<string> {
  if (attribute.type === "complex") {
    const inside = filterOf(
      attribute.subAttributes.map((sub) => [sub, sub.name] as const),
      1,
    ).map((inner) => `${name}[${inner}]`);
    const dotted = fc.constantFrom(...attribute.subAttributes).chain((sub) => conditionOn(sub, `${name}.${sub.name}`));
    return fc.oneof(inside, dotted, fc.constant(`${name} pr`));
  }
  const operators = OPERATORS.filter((operator) => {
    if (attribute.type === "boolean") return ["eq", "ne", "pr"].includes(operator);
    return attribute.type === "string" || !["co", "sw", "ew"].includes(operator);
  });
  return fc
    .tuple(fc.constantFrom(...operators), valueOf(attribute), fc.boolean(), fc.integer({ min: 0, max: 20 }))
    .map(([operator, value, shout, nothing]) => {
      const shown = shout ? operator.toUpperCase() : operator;
      if (operator === "pr") return `${name} ${shown}`;
      if (nothing === 0 && (operator === "eq" || operator === "ne")) return `${name} ${shown} null`;
      return `${name} ${shown} ${JSON.stringify(value)}`;
    });
}

function filterOf(named: readonly (readonly [NaiveAttribute, string])[], depth: number): fc.Arbitrary<string> {
  const condition = fc
    .constantFrom(...named)
    .chain(([attribute, name]) =>
      fc.constantFrom(name, name.toUpperCase(), name.toLowerCase()).chain((cased) => conditionOn(attribute, cased)),
    );
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 - depth, withCrossShrink: true },
      condition,
      tie("tree").map((inner) => `not (${inner})`),
      fc.tuple(tie("tree"), fc.constantFrom("and", "or", "AND"), tie("tree")).map(([left, joint, right]) => `${left} ${joint} ${right}`),
      tie("tree").map((inner) => `(${inner})`),
    ),
  }));
  return tree;
}

function filters({ attributes: core, extensions }: NaiveSchema): fc.Arbitrary<string> {
  const named = [
    ...core.flatMap((attribute) => [[attribute, attribute.name] as const, [attribute, `${URN}:${attribute.name}`] as const]),
    ...extensions.flatMap(({ urn, attributes: own }) => own.map((attribute) => [attribute, `${urn}:${attribute.name}`] as const)),
  ];
  return filterOf(named, 0);
}

/** The same schema in the server's own terms. */
function served({ attributes: core, extensions }: NaiveSchema): ResourceSchema {
  const map = (list: readonly NaiveAttribute[]): Map<string, SchemaAttribute> =>
    new Map(
      list.map((attribute) => [
        attribute.name.toLowerCase(),
        { ...attribute, required: false, mutability: "readWrite", returned: "default", subAttributes: map(attribute.subAttributes) },
      ]),
    );
  return {
    type: "User",
    endpoint: "/Users",
    urn: URN,
    attributes: map(core),
    extensions: extensions.map(({ urn, attributes: own }) => ({ urn, attributes: map(own) })),
  };
}

const VIEW: View = {
  table: "things t",
  id: "t.id",
  joins: "",
  visible: "true",
  document: "t.document",
  columns: new Map(),
  collections: new Map(),
  equals: new Map(),
  resource: () => "t.document",
  version: "''",
};

async function idsBySql(schemaOfServer: ResourceSchema, filter: string): Promise<string[]> {
  const given = parameters();
  const condition = filterSql(parseFilter(schemaOfServer, filter), { view: VIEW, parameters: given });
  const { rows } = await db.pool.query<{ id: string }>(`select t.id from things t where ${condition}`, given.values);
  return rows.map(({ id }) => id).sort();
}

describe("M1: filters mean what RFC 7644 says", () => {
  const seed = Number(process.env["FUZZ_SEED"] ?? randomInt(2 ** 31));

  test(
    `M1: ${SCHEMAS * FILTERS} filters over random schemas, in SQL and in memory, against a naive evaluator (FUZZ_SEED=${seed})`,
    async () => {
      const used = new Set<string>();
      for (const [index, naive] of fc.sample(schema, { numRuns: SCHEMAS, seed }).entries()) {
        const whole = fc.tuple(objectOf(naive.attributes), objectOf(naive.extensions[0]?.attributes ?? []));
        const resources = new Map(
          fc
            .sample(whole, { numRuns: RESOURCES, seed: seed + index })
            .map(([core, extension]) => [randomUUID() as string, { ...core, [EXTENSION]: extension } as NaiveResource]),
        );
        await db.pool.query("truncate things");
        await db.pool.query("insert into things select * from unnest($1::uuid[], $2::jsonb[])", [
          [...resources.keys()],
          [...resources.values()].map((one) => JSON.stringify(one)),
        ]);
        const server = served(naive);
        for (const filter of fc.sample(filters(naive), { numRuns: FILTERS, seed: seed + index })) {
          for (const found of filter.matchAll(/\s(eq|ne|co|sw|ew|gt|ge|lt|le|pr)\b/gi)) used.add((found[1] ?? "").toLowerCase());
          const holds = naively(naive, filter);
          const expected = [...resources]
            .filter(([, resource]) => holds(resource))
            .map(([id]) => id)
            .sort();
          const parsed = parseFilter(server, filter);
          const inMemory = [...resources]
            .filter(([, resource]) => satisfies(parsed, resource as JsonObject))
            .map(([id]) => id)
            .sort();
          expect({ seed, filter, inMemory, inSql: await idsBySql(server, filter) }).toEqual({
            seed,
            filter,
            inMemory: expected,
            inSql: expected,
          });
        }
      }
      expect([...used].sort()).toEqual([...OPERATORS].sort());
    },
    240_000 * TIMES,
  );
});
