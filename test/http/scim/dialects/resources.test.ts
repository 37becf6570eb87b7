import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "../door.ts";
import { clientOf, ENTERPRISE, USER, type Client } from "./client.ts";

let door: Door;
let client: Client;
beforeAll(async () => {
  door = await openDoor();
  client = await clientOf(door, { name: "somebody" });
});
afterAll(() => door.close());

/** What a client of no known profile sends, and what it then reads back. */
const RESOURCES: readonly (readonly [string, object, object])[] = [
  ["active as a string", { active: "True" }, { active: true }],
  ["active as a string, false", { active: "false" }, { active: false }],
  ["active as a number", { active: 0 }, { active: false }],
  ["active in a list", { active: [true] }, { active: true }],
  ["names in any case", { NAME: { GIVENNAME: "Ann" }, DisplayName: "Ann" }, { name: { givenName: "Ann" }, displayName: "Ann" }],
  ["dotted names", { "name.givenName": "Ann", "name.familyName": "Berg" }, { name: { givenName: "Ann", familyName: "Berg" } }],
  [
    "a dotted name beside its object",
    { name: { givenName: "Ann" }, "name.familyName": "Berg" },
    { name: { givenName: "Ann", familyName: "Berg" } },
  ],
  [
    "a dotted name before its object",
    { "name.familyName": "Berg", name: { givenName: "Ann" } },
    { name: { givenName: "Ann", familyName: "Berg" } },
  ],
  [
    "a manager by a flat name before the extension",
    { [`${ENTERPRISE}:manager.value`]: "m-4", [ENTERPRISE]: { department: "D4", manager: { $ref: "../Users/m-4" } } },
    { [ENTERPRISE]: { department: "D4", manager: { value: "m-4", $ref: "../Users/m-4" } } },
  ],
  [
    "paths as names",
    {
      'emails[type eq "work"].value': "w@example.com",
      'emails[type eq "work"].primary': "True",
      'phoneNumbers[type eq "mobile"].value': "1",
    },
    { emails: [{ type: "work", value: "w@example.com", primary: true }], phoneNumbers: [{ type: "mobile", value: "1" }] },
  ],
  ["e-mails as one object", { emails: { value: "o@example.com", type: "work" } }, { emails: [{ value: "o@example.com", type: "work" }] }],
  ["e-mails as texts", { emails: ["t@example.com"] }, { emails: [{ value: "t@example.com" }] }],
  ["e-mails as one text", { emails: "s@example.com" }, { emails: [{ value: "s@example.com" }] }],
  [
    "two primaries",
    {
      emails: [
        { value: "1@example.com", type: "work", primary: true },
        { value: "2@example.com", type: "home", primary: "true" },
      ],
    },
    {
      emails: [
        { value: "1@example.com", type: "work", primary: true },
        { value: "2@example.com", type: "home", primary: false },
      ],
    },
  ],
  ["a number where a text belongs", { title: 12 }, { title: "12" }],
  ["an employee number as a number", { [ENTERPRISE]: { employeeNumber: 701984 } }, { [ENTERPRISE]: { employeeNumber: "701984" } }],
  ["enterprise attributes at the top", { department: "D1", costCenter: 4130 }, { [ENTERPRISE]: { department: "D1", costCenter: "4130" } }],
  ["inside the extension wins", { department: "top", [ENTERPRISE]: { department: "inside" } }, { [ENTERPRISE]: { department: "inside" } }],
  ["flat URN names", { [`${ENTERPRISE}:department`]: "D2" }, { [ENTERPRISE]: { department: "D2" } }],
  [
    "the extension's URN of SCIM 1.1",
    { "urn:scim:schemas:extension:enterprise:1.0": { department: "D3" } },
    { [ENTERPRISE]: { department: "D3" } },
  ],
  ["core attributes under the core URN", { [USER]: { title: "Chief" } }, { title: "Chief" }],
  ["a manager as a text", { [ENTERPRISE]: { manager: "m-1" } }, { [ENTERPRISE]: { manager: { value: "m-1" } } }],
  ["a manager by managerId", { [ENTERPRISE]: { manager: { managerId: "m-2" } } }, { [ENTERPRISE]: { manager: { value: "m-2" } } }],
  [
    "a manager by $ref only",
    { [ENTERPRISE]: { manager: { $ref: "https://example.com/scim/v2/Users/m-3" } } },
    { [ENTERPRISE]: { manager: { value: "m-3", $ref: "https://example.com/scim/v2/Users/m-3" } } },
  ],
  ["a name as one text", { name: "Ann Berg" }, { name: { formatted: "Ann Berg" } }],
  ["JSON in a text", { emails: '[{"value":"j@example.com","type":"work"}]' }, { emails: [{ value: "j@example.com", type: "work" }] }],
  [
    "a role assignment inside a role's value",
    { roles: [{ value: '{"id":"18d1","value":"Admin","displayName":"Administrator"}' }] },
    { roles: [{ value: "Admin", display: "Administrator" }] },
  ],
  ["an object around a plain value", { displayName: { value: "Wrapped" } }, { displayName: "Wrapped" }],
  ["schemas left out", { schemas: undefined, title: "T" }, { title: "T", schemas: [USER] }],
  ["schemas as a text", { schemas: USER, title: "T" }, { title: "T" }],
  ["schemas of SCIM 1.1", { schemas: ["urn:scim:schemas:core:1.0"], title: "T" }, { title: "T", schemas: [USER] }],
  ["the extension's schema without the core one", { schemas: [ENTERPRISE], title: "T" }, { title: "T", schemas: [USER] }],
  ["a schema that nobody knows", { schemas: [USER, "urn:example:app:1.0:user:custom"], title: "T" }, { title: "T", schemas: [USER] }],
  ["unknown attributes", { "urn:example:app:1.0:user:custom": { x: 1 }, isVip: true, title: "T" }, { title: "T" }],
  ["what only we say", { id: "own-id", meta: { version: "x" }, groups: [{ value: "g" }], title: "T" }, { title: "T" }],
  ["a password", { password: "hunter2", title: "T" }, { title: "T" }],
];

const name = () => `u${randomBytes(5).toString("hex")}`;

describe("B10: resources as clients send them", () => {
  test.each(RESOURCES)("B10: POST with %s", async (_title, sent, read) => {
    const userName = name();
    const answer = await client.send("POST", "/Users", { schemas: [USER], userName, ...sent });
    expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([201, ""]);
    const found = (await client.send("GET", `/Users/${answer.body.id}`)).body;
    expect(found).toMatchObject({ userName, ...read });
    expect(found.password).toBeUndefined();
    expect(found.id).not.toBe("own-id");
  });

  test.each(RESOURCES)("B10: PUT with %s", async (_title, sent, read) => {
    const userName = name();
    const id = await client.person(userName, { title: "before" });
    const answer = await client.send("PUT", `/Users/${id}`, { schemas: [USER], userName, ...sent });
    expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([200, ""]);
    expect((await client.send("GET", `/Users/${id}`)).body).toMatchObject({ userName, ...read, id });
  });

  test("B10: empty texts and nulls are no values", async () => {
    const userName = name();
    const { body } = await client.send("POST", "/Users", {
      schemas: [USER],
      userName,
      title: "",
      nickName: null,
      externalId: null,
      name: { givenName: "", familyName: "F" },
      emails: [],
      phoneNumbers: [{ value: "", type: "work" }],
      [ENTERPRISE]: { manager: "", department: null },
    });
    for (const absent of ["title", "nickName", "externalId", "emails", "phoneNumbers", ENTERPRISE]) expect(body[absent]).toBeUndefined();
    expect(body.name).toEqual({ familyName: "F" });
  });

  test.each([
    ["members as texts", (id: string) => [id]],
    ["one member as an object", (id: string) => ({ value: id })],
    ["members by id", (id: string) => [{ id }]],
    ["members by $ref only", (id: string) => [{ $ref: `https://example.com/scim/v2/Users/${id}` }]],
    [
      "a member twice, with null beside",
      (id: string) => [
        { value: id, $ref: null },
        { value: id, display: "x", type: null },
      ],
    ],
    ["members as JSON in a text", (id: string) => JSON.stringify([{ value: id }])],
  ])("B10: a group with %s", async (_title, members) => {
    const id = await client.person(name());
    const made = await client.send("POST", "/Groups", { displayName: name(), members: members(id) });
    expect([made.status, made.status < 300 ? "" : made.text]).toEqual([201, ""]);
    const found = await client.send("GET", `/Groups/${made.body.id}`);
    expect(found.body.members.map(({ value }: { value: string }) => value)).toEqual([id]);
  });
});
