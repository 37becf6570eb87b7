import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Filter } from "../../../src/http/scim/filter/ast.ts";
import { satisfies } from "../../../src/http/scim/filter/evaluate.ts";
import { parseFilter } from "../../../src/http/scim/filter/parse.ts";
import { filterSql } from "../../../src/http/scim/filter/sql.ts";
import type { JsonObject } from "../../../src/http/scim/json.ts";
import { writableType, type ResourceType } from "../../../src/http/scim/resource-type.ts";
import { STANDARD_SCHEMAS } from "../../../src/http/scim/schema.ts";
import { parameters } from "../../../src/http/scim/view.ts";
import { testDatabase, type TestDatabase } from "../../helpers/database.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BASE = "https://host.example/scim/v2";
const SAMPLES = 150;
const USERS = writableType({ schemas: STANDARD_SCHEMAS }, "user");
const GROUPS = writableType({ schemas: STANDARD_SCHEMAS }, "group");

let db: TestDatabase;
let connectionId: number;
beforeAll(async () => {
  db = await testDatabase();
  const { rows } = await db.pool.query(
    "insert into connections (name, connector) values ('scim', 'scim-inbound'), ('other', 'scim-inbound') returning id",
  );
  connectionId = rows[0].id;
  await seed(rows[1].id);
});
afterAll(() => db.drop());

const word = fc.constantFrom(
  "ann",
  "ANN",
  "bob",
  "Bob Émile",
  "a%b",
  "a_b",
  'q"uote',
  "back\\slash",
  "(x)",
  "",
  "zed",
  "annbob",
  "İnci",
  "ΟΔΟΣ",
  "οδος",
);
const text = fc.oneof(
  word,
  word.map((one) => `${one}@example.com`),
);
const emails = fc.uniqueArray(
  fc.record({ value: text, type: fc.constantFrom("work", "home", "Other"), primary: fc.boolean(), display: word }, { requiredKeys: [] }),
  { maxLength: 3 },
);
const profile = fc.record(
  {
    title: word,
    nickName: word,
    externalId: word,
    displayName: word,
    userType: word,
    name: fc.record({ givenName: word, familyName: word }, { requiredKeys: [] }),
    emails,
    addresses: fc.array(fc.record({ locality: word, type: fc.constantFrom("work", "home") }, { requiredKeys: [] }), { maxLength: 2 }),
    [ENTERPRISE]: fc.record({ department: word, employeeNumber: word }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

/** People with and without an account of this client, some deactivated; groups with members and nested groups. */
async function seed(otherConnection: number): Promise<void> {
  const people = fc.sample(fc.tuple(profile, fc.boolean(), fc.boolean(), profile, fc.nat(3)), { numRuns: 60, seed: 7 });
  const at = Date.UTC(2026, 0, 1);
  const ids: string[] = [];
  for (const [index, [attributes, isActive, hasOwn, own, late]] of people.entries()) {
    const id = randomUUID();
    ids.push(id);
    const merged = { ...attributes, userName: `User${index}` } as JsonObject;
    const instant = new Date(at + (index % 5) * 1000 + late);
    const manager = index % 7 === 3 ? ids[0] : null;
    const extension = (merged[ENTERPRISE] ?? {}) as JsonObject;
    await db.pool.query(
      `insert into people (id, user_name, external_id, employee_number, active, state, attributes, manager_id, created_at, modified_at, version)
       values ($1, $2, nullif($3, ''), nullif($4, ''), $5, $6, $7, $8, $9, $9, 3)`,
      [
        id,
        merged["userName"],
        merged["externalId"] ?? "",
        extension["employeeNumber"] ?? "",
        isActive,
        isActive ? "active" : "deactivated",
        JSON.stringify(merged),
        manager,
        instant,
      ],
    );
    if (hasOwn) await account({ connection: connectionId, kind: "user", id, attributes: { ...own, userName: `own${index % 9}` } });
    else if (index % 4 === 0)
      await account({ connection: otherConnection, kind: "user", id, attributes: { ...own, userName: `foreign${index}` } });
  }
  const groups: string[] = [];
  for (let index = 0; index < 12; index += 1) {
    const id = randomUUID();
    await db.pool.query("insert into groups (id, display_name, attributes, created_at, modified_at) values ($1, $2, '{}', $3, $3)", [
      id,
      `Group${index % 5}`,
      new Date(at),
    ]);
    if (index % 3 === 0)
      await account({ connection: connectionId, kind: "group", id, attributes: { displayName: `Own${index}`, externalId: `e${index}` } });
    for (const [position, person] of ids.entries()) {
      if ((position + index) % 6 !== 0) continue;
      await db.pool.query(
        "insert into memberships (group_id, person_id, connection_id, valid_from, recorded_from, valid_to) values ($1, $2, $3, $4, $4, $5)",
        [id, person, position % 2 ? connectionId : otherConnection, new Date(0), position % 18 === 0 ? new Date(1000) : null],
      );
    }
    const parent = groups.at(-1);
    if (parent && index % 2)
      await db.pool.query("insert into nestings (parent_group_id, child_group_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
        parent,
        id,
        new Date(0),
      ]);
    groups.push(id);
  }
}

async function account({
  connection,
  kind,
  id,
  attributes,
}: {
  connection: number;
  kind: "user" | "group";
  id: string;
  attributes: object;
}): Promise<void> {
  await db.pool.query(
    `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, ${kind === "user" ? "person_id" : "group_id"}, changed_at) values ($1, $2, $3, $4, '', 1, 'linked', $5, $6)`,
    [connection, kind, id, JSON.stringify(attributes), id, new Date(0)],
  );
}

/** Every resource as this client reads it: what a filter must be true of. */
async function shown(type: ResourceType): Promise<JsonObject[]> {
  const given = parameters();
  const view = type.view({ parameters: given, connectionId, base: BASE });
  const { rows } = await db.pool.query(
    `select (${view.resource(new Set())})::jsonb as resource from ${view.table} ${view.joins} where ${view.visible}`,
    given.values,
  );
  return rows.map((row) => row.resource);
}

async function idsBySql(type: ResourceType, filter: Filter): Promise<string[]> {
  const given = parameters();
  const view = type.view({ parameters: given, connectionId, base: BASE });
  const condition = filterSql(filter, { view, parameters: given });
  const { rows } = await db.pool.query(
    `select ${view.id} as id from ${view.table} ${view.joins} where ${view.visible} and ${condition}`,
    given.values,
  );
  return rows.map((row) => row.id).sort();
}

const quoted = (value: string) => JSON.stringify(value);
const textOperator = fc.constantFrom("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le");

function userCondition(resources: readonly JsonObject[]): fc.Arbitrary<string> {
  const held = (pick: (resource: JsonObject) => unknown) =>
    fc.constantFrom(...new Set(resources.map(pick).filter((value): value is string => typeof value === "string")), "nothing", "OWN1");
  const attribute = fc.constantFrom(
    "title",
    "nickName",
    "externalId",
    "displayName",
    "userName",
    "name.givenName",
    "name.familyName",
    "emails",
    "emails.value",
    "emails.type",
    "addresses.locality",
    `${ENTERPRISE}:department`,
    `${ENTERPRISE}:employeeNumber`,
    "groups.display",
    "schemas",
  );
  return fc.oneof(
    fc
      .tuple(
        attribute,
        textOperator,
        fc.oneof(
          text,
          held(({ userName }) => userName),
        ),
      )
      .map(([name, operator, value]) => `${name} ${operator} ${quoted(value)}`),
    attribute.map((name) => `${name} pr`),
    fc.constantFrom(
      "name pr",
      `${ENTERPRISE}:manager pr`,
      "groups pr",
      "emails pr",
      "active pr",
      "id pr",
      "meta pr",
      "nickName eq null",
      "emails ne null",
    ),
    fc.boolean().map((value) => `active eq ${value}`),
    fc
      .tuple(fc.constantFrom("eq", "ne", "gt", "ge", "lt", "le"), fc.nat(5000))
      .map(([operator, ms]) => `meta.lastModified ${operator} "${new Date(Date.UTC(2026, 0, 1) + ms).toISOString()}"`),
    fc
      .tuple(
        fc.constantFrom("eq", "ne"),
        held(({ id }) => id),
      )
      .map(([operator, id]) => `id ${operator} ${quoted(id)}`),
    held(({ meta }) => (meta as JsonObject)["location"]).map((location) => `meta.location eq ${quoted(location)}`),
    held(({ meta }) => (meta as JsonObject)["location"]).map(
      (location) => `meta[location eq ${quoted(location)} and (not (version pr) or resourceType eq "User")]`,
    ),
    held(({ id }) => id).map((id) => `${ENTERPRISE}:manager eq ${quoted(id)}`),
    held(({ userName }) => userName).map((name) => `userName eq ${quoted(name.toUpperCase())}`),
    held(({ externalId }) => externalId).map((id) => `externalId eq ${quoted(id)}`),
    held((resource) => ((resource["groups"] as JsonObject[] | undefined)?.[0] ?? {})["value"]).map((id) => `groups eq ${quoted(id)}`),
    fc
      .tuple(fc.constantFrom("type", "value", "display"), textOperator, text, fc.constantFrom("and", "or"), fc.boolean(), fc.boolean())
      .map(
        ([sub, operator, value, joint, primary, negated]) =>
          `emails[${negated ? "not " : ""}(${sub} ${operator} ${quoted(value)}) ${joint} primary eq ${primary}]`,
      ),
    text.map((value) => `emails[type eq "work"].value eq ${quoted(value)}`),
    word.map((value) => `name[familyName eq ${quoted(value)} or not (givenName pr)]`),
  );
}

function groupCondition(resources: readonly JsonObject[]): fc.Arbitrary<string> {
  const members = [
    ...new Set(resources.flatMap(({ members: list }) => ((list as JsonObject[] | undefined) ?? []).map(({ value }) => String(value)))),
  ];
  const member = fc.constantFrom(...members, "nobody", randomUUID());
  return fc.oneof(
    fc
      .tuple(
        fc.constantFrom("displayName", "externalId", "members.display", "members.type"),
        textOperator,
        fc.constantFrom("Group1", "group1", "own0", "Own3", "e3", "User", "x"),
      )
      .map(([name, operator, value]) => `${name} ${operator} ${quoted(value)}`),
    fc
      .tuple(fc.constantFrom("members", "members.value"), fc.constantFrom("eq", "ne"), member)
      .map(([name, operator, value]) => `${name} ${operator} ${quoted(value)}`),
    member.map((value) => `members[value eq ${quoted(value)}]`),
    member.map((value) => `members[value eq ${quoted(value)} and type eq "group"]`),
    fc.constantFrom("members pr", "externalId pr", 'members[type eq "Group"]'),
  );
}

function whole(condition: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      condition,
      tie("tree").map((inner) => `not (${inner})`),
      fc.tuple(tie("tree"), fc.constantFrom("and", "or"), tie("tree")).map(([left, joint, right]) => `(${left} ${joint} ${right})`),
    ),
  }));
  return tree;
}

describe("M1: a filter's SQL finds exactly what the filter is true of", () => {
  test.each([["Users", USERS, userCondition] as const, ["Groups", GROUPS, groupCondition] as const])(
    "M1: %s",
    async (_name, type, conditions) => {
      const resources = await shown(type);
      await fc.assert(
        fc.asyncProperty(whole(conditions(resources)), async (filterText) => {
          const filter = parseFilter(type.schema, filterText);
          const expected = resources
            .filter((resource) => satisfies(filter, resource))
            .map(({ id }) => String(id))
            .sort();
          expect({ filterText, ids: await idsBySql(type, filter) }).toEqual({ filterText, ids: expected });
        }),
        { numRuns: SAMPLES * 2 },
      );
    },
  );
});
