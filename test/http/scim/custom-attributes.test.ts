import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { inTransaction } from "../../../src/db/database.ts";
import { addCustomAttribute, removeCustomAttribute } from "../../../src/directory/custom-attributes.ts";
import { schemasWith } from "../../../src/http/scim/custom-schema.ts";
import { createBending } from "../../../src/http/scim/dialects/bending.ts";
import { PROFILES } from "../../../src/http/scim/dialects/profiles/index.ts";
import { bendResource } from "../../../src/http/scim/dialects/resource.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const CORE = "urn:ietf:params:scim:schemas:core:2.0:User";
const CUSTOM = "urn:ietf:params:scim:schemas:extension:rollcall:2.0:User";

let door: Door;
beforeAll(async () => {
  door = await openDoor();
  await add({ key: "badge", type: "string", description: "Number of the badge" });
  await add({ key: "floor", type: "number" });
  await add({ key: "remote", type: "boolean" });
  await add({ key: "since", type: "date" });
  await add({ key: "shirt", type: "choice", choices: ["Small", "Large"] });
  await add({ key: "sites", type: "string", multiple: true });
});
afterAll(() => door.close());

function add(attribute: object) {
  return inTransaction(door.db, testContext(), (work) => addCustomAttribute(work, attribute));
}

async function create(userName: string, custom: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await door.request("POST", "/Users", { body: { schemas: [CORE, CUSTOM], userName, [CUSTOM]: custom } });
  return { status: answer.status, body: answer.body };
}

const everything = { badge: "B-1", floor: 3, remote: true, since: "2024-02-01T00:00:00Z", shirt: "Large", sites: ["Oslo", "Bergen"] };

describe("P2: an organisation's own attributes", () => {
  test("stand in /Schemas, and among the extensions of the resource type", async () => {
    const { body } = await door.request("GET", `/Schemas/${CUSTOM}`);
    expect(body).toMatchObject({ id: CUSTOM, meta: { resourceType: "Schema" } });
    const byName = new Map((body.attributes as { name: string }[]).map((attribute) => [attribute.name, attribute]));
    expect(byName.get("badge")).toMatchObject({
      type: "string",
      description: "Number of the badge",
      multiValued: false,
      mutability: "readWrite",
    });
    expect(byName.get("floor")).toMatchObject({ type: "decimal" });
    expect(byName.get("since")).toMatchObject({ type: "dateTime" });
    expect(byName.get("shirt")).toMatchObject({ type: "string", canonicalValues: ["Small", "Large"] });
    expect(byName.get("sites")).toMatchObject({ type: "string", multiValued: true });
    const type = await door.request("GET", "/ResourceTypes/User");
    expect(type.body.schemaExtensions).toContainEqual({ schema: CUSTOM, required: false });
  });

  test("are written and read back, and reach the person", async () => {
    const { status, body } = await create("everything", { ...everything, shirt: "large", unknown: 1 });
    expect(status).toBe(201);
    expect(body[CUSTOM]).toEqual(everything);
    expect(body["schemas"]).toEqual(expect.arrayContaining([CORE, CUSTOM]));
    const { rows } = await door.db.pool.query("select attributes->$2 as profile, custom, mastery from people where id = $1", [
      body["id"],
      CUSTOM,
    ]);
    expect(rows[0]).toMatchObject({ profile: everything, custom: everything });
  });

  test("a date without a time is the beginning of that day", async () => {
    const { body } = await create("day", { since: "2024-02-01" });
    expect(body[CUSTOM]).toEqual({ since: "2024-02-01T00:00:00Z" });
  });

  test.each([
    ["2011-05-13T04:42:34+0200", "2011-05-13T04:42:34+02:00"],
    ["2011-05-13t04:42:34.5z", "2011-05-13T04:42:34.5Z"],
    ["2011-05-13T04:42-0330", "2011-05-13T04:42:00-03:30"],
    ["2011-05-13T04:42", "2011-05-13T04:42:00"],
  ])("RFC 7643 2.3.5: the date %s, as some write it, becomes an xsd:dateTime", async (sent, kept) => {
    const { body } = await create(`since-${sent.replaceAll(/\W/g, "-")}`, { since: sent });
    expect(body[CUSTOM]).toEqual({ since: kept });
  });

  test("RFC 7643 2.3.5: a chosen profile that is not known for such dates refuses them", () => {
    const { user: schema } = schemasWith([
      {
        key: "since",
        type: "date",
        description: "",
        required: false,
        multiple: false,
        choices: null,
        visibleTo: "admin",
        editableBy: "admin",
      },
    ]);
    const bent = (dialect: "okta" | "sap", since: string) =>
      bendResource({ schemas: [CORE], userName: "a", [CUSTOM]: { since } }, { schema, bending: createBending(PROFILES[dialect]) })[CUSTOM];
    expect(bent("sap", "2011-05-13T04:42:34+0200")).toEqual({ since: "2011-05-13T04:42:34+02:00" });
    expect(bent("okta", "2011-05-13T04:42:34+02:00")).toEqual({ since: "2011-05-13T04:42:34+02:00" });
    expect(() => bent("okta", "2011-05-13T04:42:34+0200")).toThrow('since: "2011-05-13T04:42:34+0200" must be a date and time');
  });

  test("are filtered by, projected and patched by their full names", async () => {
    const { body } = await create("patched", { badge: "P-7", floor: 9, sites: ["Oslo"] });
    const found = async (filter: string) =>
      (await door.request("GET", `/Users?filter=${encodeURIComponent(filter)}`)).body.Resources.map((each: { id: string }) => each.id);
    expect(await found(`${CUSTOM}:badge eq "p-7"`)).toEqual([body["id"]]);
    expect(await found(`${CUSTOM}:floor ge 9`)).toEqual([body["id"]]);
    expect(await found(`userName eq "patched" and ${CUSTOM}:sites eq "Oslo"`)).toEqual([body["id"]]);

    const patch = await door.request("PATCH", `/Users/${String(body["id"])}`, {
      body: {
        Operations: [
          { op: "replace", path: `${CUSTOM}:floor`, value: "10" },
          { op: "add", path: `${CUSTOM}:sites`, value: ["Bergen"] },
          { op: "remove", path: `${CUSTOM}:badge` },
        ],
      },
    });
    expect(patch.status).toBe(200);
    expect(patch.body[CUSTOM]).toEqual({ floor: 10, sites: ["Oslo", "Bergen"] });
    const part = await door.request("GET", `/Users/${String(body["id"])}?attributes=${CUSTOM}:floor`);
    expect(part.body[CUSTOM]).toEqual({ floor: 10 });
  });

  test.each([
    ["a number", { floor: "third" }, "floor"],
    ["a boolean", { remote: "perhaps" }, "remote"],
    ["a date", { since: "yesterday" }, "since"],
    ["one of the choices", { shirt: "Medium" }, "shirt"],
    ["one value", { badge: ["a", "b"] }, "badge"],
  ])("what is not %s is refused by name", async (_what, custom, name) => {
    const { status, body } = await create(`refused-${name}`, custom);
    expect(status).toBe(400);
    expect(body).toMatchObject({ scimType: "invalidValue", detail: expect.stringContaining(name) });
  });

  test("M1: numbers are put in order as numbers, by index and by cursor", async () => {
    const floors = [10, 1e21, 2, -3, 0.25];
    for (const floor of floors) await create(`number-${floor}`, { floor });
    const sorted = [...floors].sort((left, right) => left - right).map((floor) => `number-${floor}`);
    for (const sortOrder of ["ascending", "descending"]) {
      const query = { filter: 'userName sw "number-"', sortBy: `${CUSTOM}:floor`, sortOrder };
      const page = async (more: object) => (await door.request("GET", `/Users?${new URLSearchParams({ ...query, ...more })}`)).body;
      const names = ({ Resources }: { Resources: { userName: string }[] }) => Resources.map(({ userName }) => userName);
      const expected = sortOrder === "ascending" ? sorted : sorted.toReversed();
      expect(names(await page({}))).toEqual(expected);
      const first = await page({ cursor: "", count: "2" });
      const second = await page({ cursor: first.nextCursor, count: "2" });
      const third = await page({ cursor: second.nextCursor, count: "2" });
      expect([first, second, third].flatMap(names)).toEqual(expected);
      expect(third.nextCursor).toBeUndefined();
    }
  });

  test("a client with a mapping of its own fills them too, in their own types", async () => {
    await door.db.pool.query("update connections set mapping = $1, mapping_version = mapping_version + 1 where name = 'scim'", [
      JSON.stringify({ user: { attributes: { userName: "account.userName", "custom.floor": "size(account.userName)" } } }),
    ]);
    const { body } = await create("mapped", { floor: 1 });
    const { rows } = await door.db.pool.query("select attributes->$2 as profile from people where id = $1", [body["id"], CUSTOM]);
    expect(rows[0].profile).toEqual({ floor: 6 });
    await door.db.pool.query("update connections set mapping = null, mapping_version = mapping_version + 1 where name = 'scim'");
  });

  test("a required one is asked for in whole resources, and a change of the catalogue holds from the next request on", async () => {
    await add({ key: "contract", type: "string", required: true });
    const without = await create("no-contract", { badge: "x" });
    expect(without).toMatchObject({ status: 400, body: { detail: expect.stringContaining("contract is required") } });
    expect((await create("contract", { contract: "C-1" })).status).toBe(201);
    const type = await door.request("GET", "/ResourceTypes/User");
    expect(type.body.schemaExtensions).toContainEqual({ schema: CUSTOM, required: true });
    await inTransaction(door.db, testContext(), (work) => removeCustomAttribute(work, "CONTRACT"));
    const found = await door.request("GET", '/Users?filter=userName eq "contract"');
    // It was the last of its schema: what is empty is not there (RFC 7643 section 2.5), and `schemas` names what is.
    expect(found.body.Resources[0]).not.toHaveProperty([CUSTOM]);
    expect(found.body.Resources[0].schemas).not.toContain(CUSTOM);
    const { rows } = await door.db.pool.query("select attributes ? $1 as left from people where user_name = 'contract'", [CUSTOM]);
    expect(rows).toEqual([{ left: false }]);
    expect((await create("free-again", {})).status).toBe(201);
  });

  test("B10: one with the name of an enterprise attribute takes nothing from a client that sends that one outside its extension", async () => {
    await add({ key: "division", type: "string" });
    const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    const body = { schemas: [CORE], userName: "divided", division: "North", [CUSTOM]: { division: "Ours" } };
    const made = await door.request("POST", "/Users", { body });
    expect(made.body).toMatchObject({ [ENTERPRISE]: { division: "North" }, [CUSTOM]: { division: "Ours" } });
    const patched = await door.request("PATCH", `/Users/${made.body.id}`, {
      body: {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        Operations: [{ op: "replace", path: "division", value: "South" }],
      },
    });
    expect(patched.body).toMatchObject({ [ENTERPRISE]: { division: "South" }, [CUSTOM]: { division: "Ours" } });
    await inTransaction(door.db, testContext(), (work) => removeCustomAttribute(work, "division"));
  });

  test.each([
    [{ key: "1st", type: "string" }, "key"],
    [{ key: "constructor", type: "string" }, "key"],
    [{ key: "Schemas", type: "string" }, "key"],
    [{ key: "x".repeat(65), type: "string" }, "key"],
    [{ key: "colour", type: "choice" }, "choices"],
    [{ key: "colour", type: "string", choices: ["red"] }, "choices"],
    [{ key: "colour", type: "map" }, "type"],
    [{ key: "colour", type: "string", secret: true }, "attribute"],
  ])("%j is no attribute", async (attribute, field) => {
    await expect(add(attribute)).rejects.toMatchObject({ code: "invalid", field });
  });

  test("a taken name is refused whatever its case", async () => {
    await expect(add({ key: "BADGE", type: "string" })).rejects.toMatchObject({ code: "conflict" });
  });
});
