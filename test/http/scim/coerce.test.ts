import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AppError } from "../../../src/errors.ts";
import { coerceResource } from "../../../src/http/scim/coerce.ts";
import { checkedBody, type JsonObject } from "../../../src/http/scim/json.ts";
import { project, readProjection } from "../../../src/http/scim/projection.ts";
import { GROUP, USER } from "../../../src/http/scim/schema.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE = "urn:ietf:params:scim:schemas:core:2.0:User";

const user = (body: JsonObject) => coerceResource(USER, { userName: "ann", ...body });

function refusal(work: () => unknown): AppError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

describe("M1: what a client sends becomes what the schema says", () => {
  test("M1: known quirks are understood", () => {
    expect(user({ active: "False", EMAILS: { Value: "a@x.example" }, phoneNumbers: null, title: "", addresses: [] })).toEqual({
      userName: "ann",
      active: false,
      emails: [{ value: "a@x.example" }],
    });
    expect(user({ displayName: [{ value: "Ann" }], [ENTERPRISE.toUpperCase()]: { EmployeeNumber: 12, manager: "m1" } })).toEqual({
      userName: "ann",
      displayName: "Ann",
      [ENTERPRISE]: { employeeNumber: "12", manager: { value: "m1" } },
    });
    expect(user({ [`${ENTERPRISE}:department`]: "D", [CORE]: { title: "T" } })).toEqual({
      userName: "ann",
      title: "T",
      [ENTERPRISE]: { department: "D" },
    });
    expect(
      user({
        emails: [
          { value: "a@x.example", primary: true },
          { value: "b@x.example", primary: "True" },
          { value: "a@x.example", display: "A" },
          { type: "work" },
          null,
        ],
      }),
    ).toEqual({
      userName: "ann",
      emails: [
        { value: "a@x.example", primary: true, display: "A" },
        { value: "b@x.example", primary: false },
      ],
    });
    expect(user({ roles: [{ type: "WindowsAzureActiveDirectoryRole", value: "User" }] })["roles"]).toEqual([
      { type: "WindowsAzureActiveDirectoryRole", value: "User" },
    ]);
  });

  test("M1: what is unknown, ours or secret is not kept", () => {
    expect(
      user({
        id: "x",
        meta: {},
        groups: [{ value: "g" }],
        password: "s3cret",
        wages: 1,
        schemas: [CORE, "urn:other"],
        [ENTERPRISE]: { manager: { displayName: "M" } },
      }),
    ).toEqual({ userName: "ann" });
  });

  test.each<[string, JsonObject, string]>([
    ["userName", { displayName: "x" }, "invalidValue"],
    ["userName", { userName: "" }, "invalidValue"],
    ["active", { userName: "a", active: "maybe" }, "invalidValue"],
    ["title", { userName: "a", title: { text: ["x"] } }, "invalidValue"],
    ["title", { userName: "a", title: true }, "invalidValue"],
    ["title", { userName: "a", title: "a\u0000" }, "invalidValue"],
    ["title", { userName: "a", title: "\ud800" }, "invalidValue"],
    ["name", { userName: "a", name: "Ann" }, "invalidValue"],
    ["emails.value", { userName: "a", emails: [{ value: { deep: {} } }] }, "invalidValue"],
    ["emails.primary", { userName: "a", emails: [{ value: "v", primary: "perhaps" }] }, "invalidValue"],
    ["schemas", { userName: "a", schemas: ["urn:ietf:params:scim:schemas:core:2.0:Group"] }, "invalidSyntax"],
  ])("M1: %s in %j: %s", (field, body, scimType) => {
    const refused = refusal(() => coerceResource(USER, body));
    expect(refused).toMatchObject({ code: "invalid", field, scimType });
  });

  test("M1: names that mean something to JavaScript, and bodies without a bottom, are refused", () => {
    for (const name of ["__proto__", "constructor", "prototype"]) {
      expect(refusal(() => checkedBody(JSON.parse(`{"userName":"a","name":{"${name}":{"admin":true}}}`)))).toMatchObject({
        scimType: "invalidSyntax",
        field: name,
      });
    }
    expect(refusal(() => checkedBody(JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`)))).toMatchObject({ scimType: "invalidSyntax" });
    expect(refusal(() => checkedBody(JSON.parse(`${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`)))).toMatchObject({
      scimType: "invalidSyntax",
    });
    expect(refusal(() => checkedBody([]))).toMatchObject({ scimType: "invalidSyntax" });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test("M1: a whole extension is an object, or nothing", () => {
    for (const value of ["x", 1, false, [{ department: "D" }]])
      expect(refusal(() => user({ [ENTERPRISE]: value }))).toMatchObject({ scimType: "invalidValue", field: ENTERPRISE });
    for (const value of [null, "", [], {}]) expect(user({ [ENTERPRISE]: value })).not.toHaveProperty([ENTERPRISE]);
  });

  test("M1: whatever JSON comes, it is refused by name or taken in a form that stays as it is", () => {
    const names = fc.constantFrom(
      "userName",
      "active",
      "emails",
      "name",
      "displayName",
      "members",
      "roles",
      ENTERPRISE,
      "value",
      "type",
      "primary",
      "manager",
      "other",
    );
    const { node } = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, "", "x", "True", 1),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(names, tie("node"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(names, node, { maxKeys: 6 }), fc.constantFrom(USER, GROUP), (body, schema) => {
        let taken: JsonObject;
        try {
          taken = coerceResource(schema, checkedBody(body));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          return;
        }
        expect(coerceResource(schema, taken)).toEqual(taken);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("M1: attributes and excludedAttributes (RFC 7644 section 3.9)", () => {
  const resource: JsonObject = {
    schemas: [CORE, ENTERPRISE],
    id: "1",
    userName: "ann",
    name: { givenName: "Ann", familyName: "Lee" },
    emails: [{ value: "a", type: "work" }, { value: "b" }],
    meta: { version: "1" },
    [ENTERPRISE]: { department: "D", manager: { value: "m", $ref: "r" } },
  };
  const only = (...attributes: string[]) => shownBy({ attributes });
  const without = (...excludedAttributes: string[]) => shownBy({ excludedAttributes });
  function shownBy(asked: { attributes?: string[]; excludedAttributes?: string[] }): JsonObject {
    const projection = readProjection(USER, asked);
    return projection ? project(resource, { schema: USER, projection }) : resource;
  }

  test("M1: id and schemas are always there, the rest as asked", () => {
    const always = { schemas: [CORE, ENTERPRISE], id: "1" };
    expect(only("userName")).toEqual({ ...always, userName: "ann" });
    expect(only("NAME.givenname", `${ENTERPRISE}:manager.value`)).toEqual({
      ...always,
      name: { givenName: "Ann" },
      [ENTERPRISE]: { manager: { value: "m" } },
    });
    expect(only("emails.value", "emails.type")["emails"]).toEqual([{ value: "a", type: "work" }, { value: "b" }]);
    expect(only(ENTERPRISE)).toEqual({ ...always, [ENTERPRISE]: resource[ENTERPRISE] });
    expect(only("nothing")).toEqual(always);
    expect(without("id", "schemas", "emails.type", "name", `${ENTERPRISE}:manager.$ref`, "meta")).toEqual({
      ...always,
      userName: "ann",
      emails: [{ value: "a" }, { value: "b" }],
      [ENTERPRISE]: { department: "D", manager: { value: "m" } },
    });
    expect(without(ENTERPRISE)[ENTERPRISE]).toBeUndefined();
    expect(refusal(() => readProjection(USER, { attributes: ["id"], excludedAttributes: ["id"] }))).toMatchObject({
      scimType: "invalidValue",
    });
  });
});
