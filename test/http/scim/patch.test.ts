import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AppError } from "../../../src/errors.ts";
import { coerceResource } from "../../../src/http/scim/coerce.ts";
import { sameJson, type JsonObject, type JsonValue } from "../../../src/http/scim/json.ts";
import { applyPatch } from "../../../src/http/scim/patch/apply.ts";
import { memberChange } from "../../../src/http/scim/patch/members.ts";
import { readOperations } from "../../../src/http/scim/patch/operations.ts";
import { refuseImmutable, withImmutable } from "../../../src/http/scim/mutability.ts";
import { GROUP, USER, type SchemaAttribute } from "../../../src/http/scim/schema.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const ann: JsonObject = {
  userName: "ann",
  active: true,
  title: "Clerk",
  name: { givenName: "Ann", familyName: "Lee" },
  emails: [
    { type: "work", value: "ann@w.example", primary: true },
    { type: "home", value: "ann@h.example" },
  ],
  [ENTERPRISE]: { department: "D", manager: { value: "m1", $ref: "../Users/m1" } },
};

function patched(resource: JsonObject, ...operations: JsonObject[]): JsonObject {
  return applyPatch(resource, { schema: USER, operations: readOperations(USER, { Operations: operations }), createsAbsent: true });
}

const textAttribute = (name: string): SchemaAttribute => ({
  name,
  type: "string",
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: "readWrite",
  returned: "default",
  subAttributes: new Map(),
});

function refusal(work: () => unknown): AppError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

describe("M1: PATCH (RFC 7644 section 3.5.2)", () => {
  test("M1: a complex attribute keeps what the value does not name", () => {
    expect(patched(ann, { op: "replace", path: "name", value: { givenName: "Anne" } })["name"]).toEqual({
      givenName: "Anne",
      familyName: "Lee",
    });
    expect(patched(ann, { op: "replace", value: { name: { familyName: null } } })["name"]).toEqual({ givenName: "Ann" });
    expect(patched(ann, { op: "remove", path: "name.givenName" }, { op: "remove", path: "NAME.FAMILYNAME" })["name"]).toBeUndefined();
  });

  test("M1: a reference is replaced whole and un-assigned by null, empty text and an empty id", () => {
    expect(patched(ann, { op: "add", path: `${ENTERPRISE}:manager`, value: "m2" })[ENTERPRISE]).toEqual({
      department: "D",
      manager: { value: "m2" },
    });
    for (const value of [null, "", { value: "" }, { value: null }]) {
      expect(patched(ann, { op: "Replace", path: `${ENTERPRISE}:manager`, value })[ENTERPRISE]).toEqual({ department: "D" });
    }
    expect(patched(ann, { op: "remove", path: `${ENTERPRISE}:manager.value` })[ENTERPRISE]).toEqual({ department: "D" });
    expect(patched(ann, { op: "remove", path: ENTERPRISE })[ENTERPRISE]).toBeUndefined();
    expect(patched(ann, { op: "replace", path: ENTERPRISE, value: { division: "V" } })[ENTERPRISE]).toMatchObject({
      department: "D",
      division: "V",
    });
  });

  test.each(["x", 1, false, [{ department: "V" }]])("M1: %j for a whole extension is refused, and takes nothing away", (value) => {
    for (const op of ["add", "replace"]) {
      expect(refusal(() => patched(ann, { op, path: ENTERPRISE, value }))).toMatchObject({ scimType: "invalidValue" });
      expect(refusal(() => patched(ann, { op, value: { [ENTERPRISE]: value } }))).toMatchObject({ scimType: "invalidValue" });
    }
    expect(patched(ann, { op: "add", path: ENTERPRISE, value: [] })).toEqual(ann);
    for (const nothing of [null, "", []])
      expect(patched(ann, { op: "replace", value: { [ENTERPRISE]: nothing } })[ENTERPRISE]).toBeUndefined();
  });

  test("M1: what is added as primary takes it from the others", () => {
    const emails = patched(ann, { op: "add", path: "emails", value: [{ type: "other", value: "new@x.example", primary: "True" }] })[
      "emails"
    ] as JsonObject[];
    expect(emails.filter(({ primary }) => primary === true)).toEqual([{ type: "other", value: "new@x.example", primary: true }]);
    const switched = patched(ann, { op: "replace", path: 'emails[type eq "home"].primary', value: true })["emails"] as JsonObject[];
    expect(switched.map(({ primary }) => primary)).toEqual([false, true]);
  });

  test("M1: a value path that matches nothing makes the value that it describes, or says that it can't", () => {
    expect(patched(ann, { op: "Add", path: 'phoneNumbers[type eq "mobile"].value', value: "+1" })["phoneNumbers"]).toEqual([
      { type: "mobile", value: "+1" },
    ]);
    expect(patched(ann, { op: "replace", path: 'addresses[type eq "work"]', value: { locality: "Town" } })["addresses"]).toEqual([
      { type: "work", locality: "Town" },
    ]);
    expect(refusal(() => patched(ann, { op: "replace", path: 'phoneNumbers[value sw "+4"].type', value: "work" }))).toMatchObject({
      scimType: "noTarget",
    });
  });

  test("M1: for a client that does not count on it, a value path that matches nothing is noTarget", () => {
    const strictly = (operation: JsonObject) =>
      applyPatch(ann, { schema: USER, operations: readOperations(USER, { Operations: [operation] }), createsAbsent: false });
    for (const op of ["add", "replace"])
      expect(refusal(() => strictly({ op, path: 'phoneNumbers[type eq "mobile"].value', value: "+1" }))).toMatchObject({
        scimType: "noTarget",
      });
    expect(strictly({ op: "remove", path: 'emails[type eq "fax"]' })).toEqual(ann);
    expect(strictly({ op: "replace", path: 'emails[type eq "home"].value', value: "new@h.example" })["emails"]).toHaveLength(2);
  });

  test("RFC 7643 2.2: what is immutable is set once, whoever asks and however", () => {
    const born = { ...textAttribute("born"), mutability: "immutable" as const };
    const place = { ...textAttribute("place"), type: "complex" as const, subAttributes: new Map([["town", { ...born, name: "town" }]]) };
    const schema = { ...USER, attributes: new Map([...USER.attributes, ["born", born], ["place", place]]) };
    const apply = (resource: JsonObject, operation: JsonObject) =>
      applyPatch(resource, { schema, operations: readOperations(schema, { Operations: [operation] }), createsAbsent: true });
    const set = apply(apply(ann, { op: "add", path: "born", value: "1970" }), { op: "add", path: "place.town", value: "York" });
    expect(set).toMatchObject({ born: "1970", place: { town: "York" } });
    expect(apply(set, { op: "replace", path: "born", value: "1970" })).toEqual(set);
    for (const operation of [
      { op: "replace", path: "born", value: "1971" },
      { op: "remove", path: "born" },
      { op: "replace", path: "place.town", value: "Bath" },
      { op: "remove", path: "place" },
    ] as JsonObject[])
      expect(refusal(() => apply(set, operation))).toMatchObject({ scimType: "mutability" });
    expect(withImmutable(schema, { before: set, after: ann })).toMatchObject({ born: "1970" });
    expect(refusal(() => refuseImmutable(schema, { before: set, after: { ...set, born: "1971" } }))).toMatchObject({
      scimType: "mutability",
    });
  });

  test("M1: remove takes a path, a value list, or everything when there is no value; an empty list takes nothing", () => {
    expect(patched(ann, { op: "remove", path: 'emails[type eq "home"]' })["emails"]).toHaveLength(1);
    expect(patched(ann, { op: "remove", path: 'emails[type eq "home"].value' })["emails"]).toHaveLength(1);
    expect(patched(ann, { op: "remove", path: "emails", value: [{ value: "ann@w.example" }] })["emails"]).toEqual([
      { type: "home", value: "ann@h.example" },
    ]);
    expect(patched(ann, { op: "remove", path: "emails", value: null })["emails"]).toBeUndefined();
    expect(patched(ann, { op: "replace", path: "emails", value: [] })["emails"]).toBeUndefined();
    expect(patched(ann, { op: "remove", path: "emails", value: [] })).toEqual(ann);
    expect(patched(ann, { op: "remove", path: 'emails[type eq "fax"]' })).toEqual(ann);
  });

  test.each<[JsonObject, string]>([
    [{ op: "move", path: "title", value: "x" }, "invalidSyntax"],
    [{ op: "remove" }, "noTarget"],
    [{ op: "add", path: "wages", value: 1 }, "invalidPath"],
    [{ op: "add", path: 'emails[type eq "work"', value: 1 }, "invalidPath"],
    [{ op: "add", path: "emails[type eq work]", value: 1 }, "invalidPath"],
    [{ op: "replace", path: "id", value: "x" }, "mutability"],
    [{ op: "add", path: "groups", value: [] }, "mutability"],
    [{ op: "replace", path: "meta.version", value: "x" }, "mutability"],
    [{ op: "replace", path: "active", value: "maybe" }, "invalidValue"],
    [{ op: "replace", path: "userName", value: null }, "invalidValue"],
    [{ op: "remove", path: "userName" }, "mutability"],
    [{ op: "replace", path: "title", value: ["a", "b"] }, "invalidValue"],
    [{ op: "replace", path: "name", value: "Ann" }, "invalidValue"],
    [{ op: "add", value: "Ann" }, "invalidValue"],
  ])("M1: %j is refused with %s", (operation, scimType) => {
    expect(refusal(() => patched(ann, operation))).toMatchObject({ code: "invalid", scimType });
  });

  test("M1: a password is taken and not kept; what only we write is passed over in a value without a path", () => {
    expect(
      patched(
        ann,
        { op: "replace", path: "password", value: "s3cret" },
        { op: "replace", value: { id: "x", groups: [], meta: {}, schemas: [], password: "s3cret", unknown: 1 } },
      ),
    ).toEqual(ann);
  });

  const value = fc.constantFrom("a@x.example", "b@x.example", "A@x.example", "");
  const element = fc.record(
    { value, type: fc.constantFrom("work", "home"), primary: fc.constantFrom<JsonValue>(true, false, "True", "False") },
    { requiredKeys: ["value"] },
  ) as fc.Arbitrary<JsonObject>;
  const operation: fc.Arbitrary<JsonObject> = fc.oneof(
    fc.record({
      op: fc.constantFrom("add", "Replace"),
      path: fc.constant("emails"),
      value: fc.oneof(fc.array(element, { maxLength: 4 }), element),
    }),
    fc.record({
      op: fc.constantFrom("add", "replace"),
      path: fc.constantFrom('emails[type eq "work"]', 'emails[type eq "home"]', "emails[primary eq true]"),
      value: element,
    }),
    fc.record({
      op: fc.constantFrom("add", "replace"),
      path: fc.constantFrom('emails[type eq "work"].primary', "emails.primary", 'emails[value eq "b@x.example"].primary'),
      value: fc.boolean(),
    }),
    fc.record({
      op: fc.constantFrom("add", "replace"),
      path: fc.constantFrom('emails[type eq "work"].value', 'emails[type eq "home"].type'),
      value,
    }),
    fc.record({
      op: fc.constant("remove"),
      path: fc.constantFrom("emails", 'emails[type eq "work"]', "emails[primary eq true].primary", "emails.value"),
    }),
    fc.record({
      op: fc.constant("replace"),
      value: fc.record(
        {
          title: value,
          emails: fc.array(element, { maxLength: 3 }),
          "name.givenName": value,
          active: fc.constantFrom<JsonValue>(true, "False"),
        },
        { requiredKeys: [] },
      ),
    }) as fc.Arbitrary<JsonObject>,
  );

  test("M1: no patch leaves two primaries, a duplicate, or a form that the door itself would not have made", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 4 }), fc.array(operation, { minLength: 1, maxLength: 5 }), (emails, operations) => {
        const start = coerceResource(USER, { userName: "ann", emails });
        const before = structuredClone(start);
        const after = patched(start, ...operations);
        expect(start).toEqual(before);
        const list = (after["emails"] ?? []) as JsonObject[];
        expect(list.filter(({ primary }) => primary === true).length).toBeLessThanOrEqual(1);
        expect(new Set(list.map(({ value: held, type }) => JSON.stringify([held, type]))).size).toBe(list.length);
        expect(coerceResource(USER, after)).toEqual(after);
      }),
      { numRuns: 2000 },
    );
  });

  test("M1: the same patch again changes nothing more where it only sets values", () => {
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 4 }),
        fc.record({ title: value, active: fc.boolean(), emails: fc.array(element, { maxLength: 3 }) }),
        (emails, values) => {
          const start = coerceResource(USER, { userName: "ann", emails });
          const once = patched(start, { op: "replace", value: values });
          expect(sameJson(patched(once, { op: "replace", value: values }), once)).toBe(true);
        },
      ),
    );
  });
});

describe("M1: a group's members are changed as sets", () => {
  const [a, b, c] = ["a", "b", "c"].map((letter) => `${letter.repeat(8)}-0000-4000-8000-000000000000`) as [string, string, string];
  const change = (operations: JsonObject[], replace: "authoritative" | "add" = "authoritative") =>
    memberChange({ operations: readOperations(GROUP, { Operations: operations }), replace });

  test("M1: operations fold into one change, in their order", () => {
    expect(change([{ op: "add", path: "members", value: [{ value: a }, { value: a }] }])).toEqual({ add: [a], remove: [] });
    expect(
      change([
        { op: "add", path: "members", value: [{ value: a.toUpperCase() }] },
        { op: "remove", path: `members[value eq "${a}"]` },
      ]),
    ).toEqual({ add: [], remove: [a] });
    expect(
      change([
        { op: "remove", path: "members", value: [{ $ref: null, value: a }] },
        { op: "add", value: { members: [{ value: b, display: "B" }] } },
      ]),
    ).toEqual({ add: [b], remove: [a] });
    expect(
      change([
        { op: "replace", path: "members", value: [{ value: a }, { value: b }] },
        { op: "add", path: "members", value: c },
        { op: "remove", path: `members[value eq "${a}" or value eq "${b}"]` },
      ]),
    ).toEqual({ set: [c] });
    expect(change([{ op: "remove", path: "members", value: null }])).toEqual({ set: [] });
    expect(change([{ op: "remove", path: "members", value: [] }])).toEqual({ add: [], remove: [] });
    expect(change([{ op: "replace", path: "members", value: [] }])).toEqual({ set: [] });
  });

  test("M1: who goes only as a group stays in what the same request adds or sets", () => {
    const add = (id: string) => ({ op: "add", path: "members", value: [{ value: id }] });
    const set = (id: string) => ({ op: "replace", path: "members", value: [{ value: id }] });
    const remove = (id: string, type?: string) => ({
      op: "remove",
      path: `members[value eq "${id}"${type ? ` and type eq "${type}"` : ""}]`,
    });
    const typed = new Map([[a, "Group"]]);
    expect(change([add(a), remove(a, "Group")])).toEqual({ add: [a], remove: [a], typed });
    expect(change([set(a), remove(a, "Group")])).toEqual({ set: [a], typed });
    expect(change([add(a), remove(a, "Group"), remove(a, "User")])).toEqual({ add: [], remove: [a] });
    expect(change([add(a), remove(a, "Group"), remove(a)])).toEqual({ add: [], remove: [a] });
    expect(change([remove(a), remove(a, "Group")])).toEqual({ add: [], remove: [a] });
    expect(change([remove(a, "Group"), add(a)])).toEqual({ add: [a], remove: [] });
    expect(change([remove(a), set(a), remove(a, "Group")])).toEqual({ set: [a], typed });
    expect(change([remove(a, "Group"), set(a)])).toEqual({ set: [a] });
  });

  test("M1: a connection whose client sends a part of the list only adds by it", () => {
    expect(change([{ op: "replace", path: "members", value: [{ value: a }] }], "add")).toEqual({ add: [a], remove: [] });
  });

  test("M1: who can't be a member, and choosing by what only a read could tell, is refused", () => {
    expect(refusal(() => change([{ op: "add", path: "members", value: [{ value: "bob" }] }]))).toMatchObject({
      scimType: "invalidValue",
      field: "members.value",
    });
    expect(refusal(() => change([{ op: "remove", path: 'members[display sw "A"]' }]))).toMatchObject({ scimType: "invalidFilter" });
    expect(refusal(() => change([{ op: "replace", path: `members[value eq "${a}"].value`, value: b }]))).toMatchObject({
      scimType: "mutability",
    });
  });
});
