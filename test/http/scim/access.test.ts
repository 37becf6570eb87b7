import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { giveGrant } from "../../../src/access/grants.ts";
import { createRole } from "../../../src/access/roles.ts";
import { inTransaction } from "../../../src/db/database.ts";
import { createUnit } from "../../../src/directory/units.ts";
import { testContext } from "../../helpers/database.ts";
import { openDoor, type Door } from "./door.ts";

const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ACCESS = "urn:ietf:params:scim:schemas:extension:rollcall:access:2.0:User";

let door: Door;
let ann: string;
let bob: string;
const until = new Date(Date.UTC(2099, 0, 1));
beforeAll(async () => {
  door = await openDoor();
  const create = async (userName: string) =>
    (await door.request("POST", "/Users", { body: { schemas: [USER], userName, roles: [{ value: "theirs", primary: true }] } })).body.id;
  ann = await create("ann");
  bob = await create("bob");
  const { body: group } = await door.request("POST", "/Groups", {
    body: { schemas: [GROUP], displayName: "Editors", members: [{ value: ann }] },
  });
  await inTransaction(door.db, testContext(), async (work) => {
    await work.sql.query(
      "insert into permissions (key, module, resource, action, description) values ('m.r.view', 'm', 'r', 'view', 'See it'), ('m.r.edit', 'm', 'r', 'edit', '')",
    );
    await createRole(work, { key: "viewer", name: "Viewer", permissions: ["m.r.view"] });
    await createRole(work, { key: "editor", name: "Editor", permissions: ["m.r.edit"], inherits: ["viewer"] });
    await createUnit(work, { name: "Acme", code: "acme" });
    await giveGrant(work, { personId: ann, role: "viewer", unit: "acme", until });
    await giveGrant(work, { groupId: group.id, role: "editor", unit: "acme" });
  });
});
afterAll(() => door.close());

describe("what a person may do here", () => {
  test("is told to those who ask for it, beside the roles that the client wrote", async () => {
    const plain = (await door.request("GET", `/Users/${ann}`)).body;
    expect([plain.schemas, plain.roles, plain[ACCESS]]).toEqual([[USER], [{ value: "theirs", primary: true }], undefined]);
    const asked = (await door.request("GET", `/Users/${ann}?attributes=${ACCESS}`)).body;
    expect(asked).toEqual({
      schemas: [USER, ACCESS],
      id: ann,
      [ACCESS]: {
        roles: [
          { value: "editor", display: "Editor", unit: "acme", type: "group", $ref: expect.stringMatching(/\/Roles\//) },
          {
            value: "viewer",
            display: "Viewer",
            unit: "acme",
            type: "direct",
            $ref: expect.stringMatching(/\/Roles\//),
            until: until.toISOString(),
          },
        ],
        entitlements: [
          { value: "m.r.edit", unit: "acme" },
          { value: "m.r.view", display: "See it", unit: "acme" },
        ],
      },
    });
    const part = (await door.request("GET", `/Users?filter=userName eq "ann"&attributes=userName,${ACCESS}:roles.value`)).body;
    expect(part.Resources[0]).toEqual({
      schemas: [USER, ACCESS],
      id: ann,
      userName: "ann",
      [ACCESS]: { roles: [{ value: "editor" }, { value: "viewer" }] },
    });
  });

  test("people are found by it", async () => {
    const found = async (filter: string) =>
      (await door.request("GET", `/Users?filter=${encodeURIComponent(filter)}`)).body.Resources.map(({ id }: { id: string }) => id);
    expect(await found(`${ACCESS}:roles.value eq "editor"`)).toEqual([ann]);
    expect(await found(`${ACCESS}:entitlements[value eq "m.r.view" and unit eq "ACME"]`)).toEqual([ann]);
    expect(await found(`not (${ACCESS}:roles pr)`)).toEqual([bob]);
  });

  test("is nobody's to write: a whole resource that has it says nothing of it, a patch is refused", async () => {
    const put = await door.request("PUT", `/Users/${bob}`, {
      body: { schemas: [USER, ACCESS], userName: "bob", [ACCESS]: { roles: [{ value: "editor" }] } },
    });
    expect([put.status, put.body[ACCESS]]).toEqual([200, undefined]);
    const patch = await door.request("PATCH", `/Users/${bob}`, {
      body: { Operations: [{ op: "add", path: `${ACCESS}:roles`, value: [{ value: "editor" }] }] },
    });
    expect([patch.status, patch.body.scimType]).toEqual([400, "mutability"]);
    expect((await door.request("GET", `/Users/${bob}?attributes=${ACCESS}`)).body).toEqual({
      schemas: [USER, ACCESS],
      id: bob,
      [ACCESS]: {},
    });
  });

  test("ends with the person's activity", async () => {
    await door.request("PATCH", `/Users/${ann}`, { body: { Operations: [{ op: "replace", path: "active", value: false }] } });
    expect((await door.request("GET", `/Users/${ann}?attributes=${ACCESS}`)).body[ACCESS]).toEqual({});
  });
});
