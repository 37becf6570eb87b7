import { expect, test } from "@jest/globals";
import { ENTERPRISE_USER } from "../../src/directory/attributes.ts";
import { PERSON_FIELDS, personVariables, PROFILE_TEXTS } from "../../src/expressions/environment.ts";
import { speaksOf } from "../../src/expressions/speaks-of.ts";

const of = (source: string) => speaksOf({ source, subject: "person" });
const fieldsOf = (source: string) => {
  const { fields } = of(source);
  return fields && [...fields].sort();
};

test("an expression is known by the fields that it asks for, and by nothing of its own variables", () => {
  expect(fieldsOf('person.title == "a" && person.units.exists(u, u == person.department)')).toEqual(["department", "title", "units"]);
  expect(fieldsOf('has(person.custom.x) ? person.profile["name"].givenName == "a" : !person.active')).toEqual([
    "active",
    "custom",
    "profile",
  ]);
  expect(fieldsOf("true")).toEqual([]);
  // Whoever uses it whole may ask for anything.
  expect(fieldsOf('person["title"] == "a"')).toBeUndefined();
  expect(fieldsOf('person.groups.exists(g, [person].exists(p, p.title == g)) || person.title == "a"')).toBeUndefined();
});

test("what it implies is known where it can be told from its form, and nothing is claimed elsewhere", () => {
  expect(of('"a" in person.groups').implied).toEqual({ field: "groups", holds: "a" });
  expect(of('"b" == person.title').implied).toEqual({ field: "title", equals: "b" });
  expect(of('person.title == "b" && size(person.groups) > 1').implied).toEqual({ all: [{ field: "title", equals: "b" }] });
  expect(of('person.title == "b" || "a" in person.units').implied).toEqual({
    any: [
      { field: "title", equals: "b" },
      { field: "units", holds: "a" },
    ],
  });
  for (const source of [
    '!("a" in person.groups)',
    'person.title != "b"',
    'person.title == "b" || size(person.groups) > 1',
    'person.title == "b" ? false : true',
    "person.title == person.department",
    'person.title in ["a", "b"]',
    'size(person.groups) > 1 && !(person.title == "b")',
  ])
    expect(of(source).implied).toBeUndefined();
});

test("texts stand in the profile where expressions see them", () => {
  for (const [field, path] of Object.entries(PROFILE_TEXTS)) {
    expect(PERSON_FIELDS).toHaveProperty(field, "string");
    const [attribute, within] = path;
    const attributes = { [attribute]: within === undefined ? "seen" : { [within]: "seen" } };
    expect(personVariables({ id: "1", active: true, state: "active", attributes })).toHaveProperty(field, "seen");
  }
  expect(PROFILE_TEXTS["department"]).toEqual([ENTERPRISE_USER, "department"]);
});
