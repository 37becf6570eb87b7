import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "../door.ts";
import { clientOf, ENTERPRISE, PATCH_OP, USER, type Client } from "./client.ts";

let door: Door;
let client: Client;
beforeAll(async () => {
  door = await openDoor();
  client = await clientOf(door, { name: "somebody" });
});
afterAll(() => door.close());

const name = () => `u${randomBytes(5).toString("hex")}`;
const patch = (...Operations: unknown[]) => ({ schemas: [PATCH_OP], Operations });

/** Of a person with title, a work e-mail and a department. */
const PATCHES: readonly (readonly [string, unknown, object])[] = [
  ["capitals", patch({ op: "Replace", path: "active", value: "False" }), { active: false }],
  ["all capitals", patch({ op: "REPLACE", path: "TITLE", value: "New" }), { title: "New" }],
  ["the members' names in capitals", patch({ Op: "replace", Path: "title", Value: "New" }), { title: "New" }],
  ["path null", patch({ op: "replace", path: null, value: { title: "New" } }), { title: "New" }],
  ["an empty path", patch({ op: "replace", path: "", value: { active: "False" } }), { active: false }],
  ["operations in lower case", { schemas: [PATCH_OP], operations: [{ op: "replace", path: "title", value: "New" }] }, { title: "New" }],
  ["one operation outside a list", { schemas: [PATCH_OP], Operations: { op: "replace", path: "title", value: "New" } }, { title: "New" }],
  ["schemas left out", { Operations: [{ op: "replace", path: "title", value: "New" }] }, { title: "New" }],
  ["another message's schemas", { schemas: [USER], Operations: [{ op: "replace", path: "title", value: "New" }] }, { title: "New" }],
  [
    "schemas in other letters",
    { schemas: [PATCH_OP.toLowerCase()], Operations: [{ op: "replace", path: "title", value: "New" }] },
    { title: "New" },
  ],
  ["a bare list of JSON Patch", [{ op: "replace", path: "/name/givenName", value: "Ann" }], { name: { givenName: "Ann" } }],
  ["a partial resource", { schemas: [USER], title: "New", active: false }, { title: "New", active: false }],
  ["a value inside a list", patch({ op: "replace", path: "displayName", value: [{ $ref: null, value: "New" }] }), { displayName: "New" }],
  ["false inside a list", patch({ op: "replace", path: "active", value: [false] }), { active: false }],
  [
    "values inside a list, without a path",
    patch({ op: "replace", value: [{ active: false }, { title: "New" }] }),
    { active: false, title: "New" },
  ],
  ["a value as JSON in a text", patch({ op: "replace", value: '{"active":"False"}' }), { active: false }],
  [
    "a role by its primary as a text",
    patch({ op: "Add", path: 'roles[primary eq "True"].value', value: "Admin" }),
    { roles: [{ primary: true, value: "Admin" }] },
  ],
  [
    "a role assignment as JSON in a text",
    patch({ op: "Add", path: "roles", value: [{ value: '{"id":"1","value":"Admin","displayName":"Admin"}' }] }),
    { roles: [{ value: "Admin", display: "Admin" }] },
  ],
  [
    "a value path that finds nothing",
    patch({ op: "Add", path: 'phoneNumbers[type eq "mobile"].value', value: "1" }),
    { phoneNumbers: [{ type: "mobile", value: "1" }] },
  ],
  [
    "dotted names and paths without a path",
    patch({
      op: "replace",
      value: { "name.givenName": "Ann", 'emails[type eq "work"].value': "n@example.com", [`${ENTERPRISE}:department`]: "New" },
    }),
    { name: { givenName: "Ann" }, emails: [{ type: "work", value: "n@example.com" }], [ENTERPRISE]: { department: "New" } },
  ],
  [
    "an extension's attribute without its URN",
    patch({ op: "replace", path: "department", value: "New" }),
    { [ENTERPRISE]: { department: "New" } },
  ],
  [
    "a manager without its URN, as a text",
    patch({ op: "Add", path: "manager", value: "m-1" }),
    { [ENTERPRISE]: { manager: { value: "m-1" } } },
  ],
  [
    "a manager in a list",
    patch({ op: "Add", path: `${ENTERPRISE}:manager`, value: [{ $ref: "../Users/m-2", value: "m-2" }] }),
    { [ENTERPRISE]: { manager: { value: "m-2" } } },
  ],
  [
    "a manager by its sub-attribute",
    patch({ op: "Add", path: `${ENTERPRISE}:manager.value`, value: "m-3" }),
    { [ENTERPRISE]: { manager: { value: "m-3" } } },
  ],
  [
    "an extension's URN of SCIM 1.1",
    patch({ op: "add", path: "urn:scim:schemas:extension:enterprise:1.0:department", value: "New" }),
    { [ENTERPRISE]: { department: "New" } },
  ],
  [
    "an extension as a whole",
    patch({ op: "add", path: ENTERPRISE, value: { department: "New", employeeNumber: 7 } }),
    { [ENTERPRISE]: { department: "New", employeeNumber: "7" } },
  ],
  ["the core URN as path", patch({ op: "replace", path: USER, value: { title: "New" } }), { title: "New" }],
  ["the core URN before the name", patch({ op: "replace", path: `${USER}:title`, value: "New" }), { title: "New" }],
  ["a number for a text", patch({ op: "replace", path: "title", value: 12 }), { title: "12" }],
  [
    "an extra id and externalId",
    patch({ op: "replace", value: { id: "x", schemas: [USER], externalId: "e", title: "New" } }),
    { title: "New", externalId: "e" },
  ],
];

describe("B10: patches as clients send them", () => {
  test.each(PATCHES)("B10: PATCH with %s", async (_title, body, read) => {
    const id = await client.person(name(), {
      title: "Old",
      active: true,
      emails: [{ type: "work", value: `${name()}@example.com` }],
      [ENTERPRISE]: { department: "Old" },
    });
    const answer = await client.send("PATCH", `/Users/${id}`, body);
    expect([answer.status < 300, answer.status < 300 ? "" : answer.text]).toEqual([true, ""]);
    expect((await client.send("GET", `/Users/${id}`)).body).toMatchObject({ ...read, id });
  });

  test.each([
    ["by an empty text", { op: "Replace", path: "title", value: "" }],
    ["by null", { op: "replace", path: "title", value: null }],
    ["by remove without a path", { op: "remove", value: { title: "Old" } }],
    ["by remove as a JSON pointer", { op: "remove", path: "/title" }],
    ["by an empty list", { op: "replace", path: "title", value: [] }],
  ])("B10: a value goes %s", async (_title, operation) => {
    const id = await client.person(name(), { title: "Old" });
    const answer = await client.send("PATCH", `/Users/${id}`, patch(operation));
    expect([answer.status < 300, answer.status < 300 ? "" : answer.text]).toEqual([true, ""]);
    expect((await client.send("GET", `/Users/${id}`)).body.title).toBeUndefined();
  });

  test.each([
    ["a value list", (id: string) => patch({ op: "Remove", path: "members", value: [{ $ref: null, value: id }] })],
    ["one object", (id: string) => patch({ op: "remove", path: "members", value: { value: id } })],
    ["a text", (id: string) => patch({ op: "remove", path: "members", value: id })],
    ["a value path", (id: string) => patch({ op: "remove", path: `members[value eq "${id}"]` })],
    ["a value path in other letters", (id: string) => patch({ op: "Remove", path: `Members[Value EQ "${id.toUpperCase()}"]` })],
    ["no path", (id: string) => patch({ op: "remove", value: { members: [{ value: id }] } })],
    ["the form of SCIM 1.1", (id: string) => ({ schemas: ["urn:scim:schemas:core:1.0"], members: [{ value: id, operation: "delete" }] })],
  ])("B10: a member is removed by %s, and no other", async (_title, body) => {
    const [goes, stays] = [await client.person(name()), await client.person(name())];
    const group = await client.group(name(), [goes, stays]);
    const answer = await client.send("PATCH", `/Groups/${group}`, body(goes));
    expect([answer.status < 300, answer.status < 300 ? "" : answer.text]).toEqual([true, ""]);
    const found = await client.send("GET", `/Groups/${group}`);
    expect(found.body.members.map(({ value }: { value: string }) => value)).toEqual([stays]);
  });

  test.each([
    ["a text", (id: string) => patch({ op: "add", path: "members", value: id })],
    ["texts", (id: string) => patch({ op: "add", path: "members", value: [id] })],
    [
      "one object, twice",
      (id: string) => patch({ op: "Add", path: "members", value: { value: id } }, { op: "Add", path: "members", value: [{ value: id }] }),
    ],
    ["no path", (id: string) => patch({ op: "add", value: { members: [{ value: id, display: "x" }] } })],
    ["$ref only", (id: string) => patch({ op: "add", path: "members", value: [{ $ref: `https://example.com/v2/Users/${id}` }] })],
    ["a partial group", (id: string) => ({ members: [{ value: id }] })],
  ])("B10: a member is added by %s", async (_title, body) => {
    const [stays, comes] = [await client.person(name()), await client.person(name())];
    const group = await client.group(name(), [stays]);
    const answer = await client.send("PATCH", `/Groups/${group}`, body(comes));
    expect([answer.status < 300, answer.status < 300 ? "" : answer.text]).toEqual([true, ""]);
    const found = await client.send("GET", `/Groups/${group}`);
    expect(found.body.members.map(({ value }: { value: string }) => value).sort()).toEqual([stays, comes].sort());
  });
});
