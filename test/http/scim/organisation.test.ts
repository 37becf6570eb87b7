import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRole } from "../../../src/access/roles.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const UNIT = "urn:ietf:params:scim:schemas:rollcall:2.0:Unit";
const ROLE = "urn:ietf:params:scim:schemas:rollcall:2.0:Role";
const SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

let door: Door;
let root: string;
let team: string;
let ann: string;
let base: string;
beforeAll(async () => {
  door = await openDoor();
  const created = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "ann", displayName: "Ann" } });
  ann = created.body.id;
  base = created.body.meta.location.split("/Users/")[0];
  await inTransaction(door.db, testContext(), async (work) => {
    root = await createUnit(work, { name: "Acme", code: "ACME", type: "organization" });
    team = await createUnit(work, { name: "Quality", code: "qa", type: "team", parentId: root });
    await work.sql.query(
      "insert into permissions (key, module, resource, action, description) values ('m.r.view', 'm', 'r', 'view', 'See it'), ('m.r.edit', 'm', 'r', 'edit', '') on conflict do nothing",
    );
    await createRole(work, { key: "viewer", name: "Viewer", permissions: ["m.r.view"] });
    await createRole(work, { key: "editor", name: "Editor", description: "Edits", permissions: ["m.r.edit"], inherits: ["viewer"] });
  });
  await join(ann);
});
afterAll(() => door.close());

async function join(personId: string): Promise<void> {
  await door.db.pool.query("insert into person_units (person_id, unit_id, valid_from, recorded_from) values ($1, $2, now(), now())", [
    personId,
    team,
  ]);
}

async function names(path: string): Promise<string[]> {
  const { body } = await door.request("GET", path);
  return body.Resources.map(({ name }: { name: string }) => name);
}

describe("RFC 7643 section 6: resource types of our own", () => {
  test("are told with their schemas", async () => {
    for (const [type, endpoint, schema] of [
      ["Unit", "/Units", UNIT],
      ["Role", "/Roles", ROLE],
    ] as const) {
      expect((await door.request("GET", `/ResourceTypes/${type}`)).body).toMatchObject({ id: type, name: type, endpoint, schema });
      const { body } = await door.request("GET", `/Schemas/${schema}`);
      expect(body.meta).toEqual({ resourceType: "Schema", location: `${base}/Schemas/${schema}` });
      expect(body.attributes.every(({ mutability }: { mutability: string }) => mutability === "readOnly")).toBe(true);
    }
  });

  test("a unit has its place in the tree, and members when they are asked for", async () => {
    const one = await door.request("GET", `/Units/${team}`);
    expect(one.body).toEqual({
      schemas: [UNIT],
      id: team,
      name: "Quality",
      code: "qa",
      type: "team",
      parent: { value: root, $ref: `${base}/Units/${root}`, display: "Acme" },
      meta: {
        resourceType: "Unit",
        created: expect.any(String),
        lastModified: expect.any(String),
        location: `${base}/Units/${team}`,
        version: one.headers["etag"],
      },
    });
    const asked = await door.request("GET", `/Units/${team}?attributes=members`);
    expect(asked.body).toEqual({
      schemas: [UNIT],
      id: team,
      members: [{ value: ann, $ref: `${base}/Users/${ann}`, display: "Ann", type: "User" }],
    });
  });

  test("who joins changes the unit's version", async () => {
    const { headers } = await door.request("GET", `/Units/${team}`);
    const { body: bob } = await door.request("POST", "/Users", { body: { schemas: [USER], userName: "bob" } });
    await join(bob.id);
    const again = await door.request("GET", `/Units/${team}`, { headers: { "If-None-Match": String(headers["etag"]) } });
    expect(again.status).toBe(200);
    const same = await door.request("GET", `/Units/${team}`, { headers: { "If-None-Match": String(again.headers["etag"]) } });
    expect(same.status).toBe(304);
  });

  test("units are listed, filtered, sorted and searched", async () => {
    expect(await names("/Units?sortBy=name")).toEqual(["Acme", "Quality"]);
    expect(await names("/Units?sortBy=name&sortOrder=descending&count=1")).toEqual(["Quality"]);
    expect(await names('/Units?filter=code eq "QA"')).toEqual(["Quality"]);
    expect(await names(`/Units?filter=parent.value eq "${root}"`)).toEqual(["Quality"]);
    expect(await names("/Units?filter=not (parent pr)")).toEqual(["Acme"]);
    expect(await names(`/Units?filter=members.value eq "${ann}"`)).toEqual(["Quality"]);
    const search = await door.request("POST", "/Units/.search", {
      body: { schemas: [SEARCH], filter: 'type eq "team"', attributes: ["name"] },
    });
    expect(search.body).toMatchObject({ totalResults: 1, Resources: [{ schemas: [UNIT], id: team, name: "Quality" }] });
  });

  test("a role has its permissions, inherited ones included", async () => {
    const { body } = await door.request("GET", '/Roles?filter=key eq "editor"');
    expect(body.Resources).toEqual([
      {
        schemas: [ROLE],
        id: expect.any(String),
        key: "editor",
        name: "Editor",
        description: "Edits",
        set: "custom",
        predefined: false,
        permissions: [
          { value: "m.r.edit", type: "direct" },
          { value: "m.r.view", display: "See it", type: "inherited" },
        ],
        inherits: [{ value: expect.any(String), $ref: expect.stringMatching(/\/Roles\//), display: "Viewer" }],
        meta: expect.objectContaining({ resourceType: "Role" }),
      },
    ]);
    expect(await names('/Roles?filter=permissions[value eq "m.r.view" and type eq "direct"]')).toEqual(["Viewer"]);
    expect(await names("/Roles?filter=inherits pr")).toEqual(["Editor"]);
    expect(await names('/Roles?filter=key eq "EDITOR"')).toEqual([]);
  });

  test.each([
    ["POST", "/Units", "GET, HEAD"],
    ["PUT", "/Units/x", "GET, HEAD"],
    ["PATCH", "/Roles/x", "GET, HEAD"],
    ["DELETE", "/Roles/x", "GET, HEAD"],
  ])("%s %s is answered with 405", async (method, path, allow) => {
    const answer = await door.request(method, path, { body: {} });
    expect([answer.status, answer.headers["allow"]]).toEqual([405, allow]);
  });

  test("who sees only its own finds its own units, and no strangers in them", async () => {
    const { rows } = await door.db.pool.query(
      `insert into connections (name, connector, settings) values ('narrow', 'scim-inbound', '{"visibility": "own"}') returning id`,
    );
    const { token } = await door.newToken({ connectionId: rows[0].id });
    expect((await door.request("GET", "/Units", { token })).body.totalResults).toBe(0);
    await door.db.pool.query("update units set origin_id = $1 where id = $2", [rows[0].id, team]);
    const { body: mine } = await door.request("POST", "/Users", { token, body: { schemas: [USER], userName: "mine" } });
    await join(mine.id);
    const { body } = await door.request("GET", "/Units?attributes=members", { token });
    expect(body.Resources).toEqual([{ schemas: [UNIT], id: team, members: [expect.objectContaining({ value: mine.id })] }]);
    expect((await door.request("GET", `/Units/${root}`, { token })).status).toBe(404);
  });
});
