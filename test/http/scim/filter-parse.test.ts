import { describe, expect, test } from "@jest/globals";
import { parseFilter } from "../../../src/http/scim/filter/parse.ts";
import { satisfies } from "../../../src/http/scim/filter/evaluate.ts";
import type { JsonObject } from "../../../src/http/scim/json.ts";
import { GROUP, USER } from "../../../src/http/scim/schema.ts";
import { AppError } from "../../../src/errors.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const ann: JsonObject = {
  id: "2819c223-7f76-453a-919d-413861904646",
  userName: "bjensen",
  externalId: "X1",
  displayName: 'Say "hi" (now)',
  title: "Vice\\President",
  active: true,
  name: { familyName: "O'Malley", givenName: "Ann" },
  emails: [
    { type: "work", value: "ann@example.com", primary: true },
    { type: "home", value: "home@example.org", primary: false },
  ],
  meta: { lastModified: "2026-05-13T04:42:34.000Z" },
  [ENTERPRISE]: { department: "Retail", manager: { value: "m1" } },
};

/** The examples of RFC 7644 figure 2, and what scimmy's engine gets wrong. */
const HOLDS: readonly [string, boolean][] = [
  ['userName eq "bjensen"', true],
  ['USERNAME Eq "BJENSEN"', true],
  ['externalId eq "x1"', false],
  ['name.familyName co "O\'Malley"', true],
  ['userName sw "BJ"', true],
  ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "b"', true],
  ["title pr", true],
  ["nickName pr", false],
  ['meta.lastModified gt "2011-05-13T04:42:34Z"', true],
  ['meta.lastModified ge "2026-05-13T06:42:34+02:00"', true],
  ['meta.lastModified lt "2026-05-13T04:42:34Z"', false],
  ['title pr and userType eq "Employee"', false],
  ['title pr or userType eq "Intern"', true],
  ['userType ne "Employee" and not (emails co "example.net" or emails.value co "example.nl")', true],
  ['emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]', true],
  ['emails[type eq "home" and value co "@example.com"]', false],
  ['emails[type eq "work"].value eq "ann@example.com"', true],
  ['emails eq "home@example.org"', true],
  ["emails pr", true],
  ["phoneNumbers pr", false],
  ['not (emails[type eq "other"])', true],
  ['displayName eq "Say \\"hi\\" (now)"', true],
  ['title eq "Vice\\\\President"', true],
  ["active eq true", true],
  ["active eq True", true],
  ['active eq "true"', true],
  ["active ne true", false],
  ["nickName eq null", true],
  ["userName ne null", true],
  [`${ENTERPRISE}:department eq "retail"`, true],
  [`${ENTERPRISE.toUpperCase()}:manager eq "m1"`, true],
  [`${ENTERPRISE}:manager.value eq "m2"`, false],
  ['userName eq "a" or userName eq "bjensen" and active eq true', true],
  ['(userName eq "a" or userName eq "bjensen") and active eq false', false],
  ['((((userName eq "bjensen"))))', true],
  ['userName gt "bjensem" and userName le "bjensen"', true],
  ['nickName ne "x"', true],
];

describe("M1: filters (RFC 7644 section 3.4.2.2)", () => {
  test.each(HOLDS)("M1: %s is %s", (text, expected) => {
    expect(satisfies(parseFilter(USER, text), ann)).toBe(expected);
  });

  test.each([
    ["", /name of an attribute/],
    ["userName", /operator/],
    ["userName eq", /value is expected/],
    ["userName eq bjensen", /position 13.*double quotes/],
    ['userName eq "bjensen', /quote is not closed/],
    ['userName like "x"', /operator/],
    ['wages gt "1"', /`wages` is not an attribute/],
    ['urn:example:2.0:Thing:userName eq "x"', /not an attribute/],
    ['(userName eq "x"', /`\)` is expected/],
    ['userName eq "x")', /not expected/],
    ['emails[type eq "work"', /`\]` is expected/],
    ['emails[kind eq "work"]', /not an attribute here/],
    ['userName[value eq "x"]', /sub-attributes/],
    ['name eq "x"', /complex/],
    ["active gt true", /only eq and ne/],
    ['active eq "maybe"', /true or false/],
    ['meta.lastModified gt "yesterday"', /is a date/],
    ['meta.lastModified co "2026"', /does not apply/],
    ["userName gt null", /null/],
    ['userName eq "\\x"', /JSON string/],
  ])("M1: %s is refused with invalidFilter", (text, message) => {
    expect(refusal(() => parseFilter(USER, text))).toMatchObject({
      code: "invalid",
      scimType: "invalidFilter",
      message: expect.stringMatching(message),
    });
  });

  test("M1: filters that grow without end are refused before they are evaluated", () => {
    expect(refusal(() => parseFilter(USER, `${"(".repeat(2000)}title pr${")".repeat(2000)}`))).toMatchObject({ scimType: "invalidFilter" });
    expect(refusal(() => parseFilter(USER, `title eq "${"x".repeat(10_000)}"`))).toMatchObject({ scimType: "invalidFilter" });
    expect(refusal(() => parseFilter(USER, Array.from({ length: 300 }, () => "title pr").join(" or ")))).toMatchObject({
      scimType: "tooMany",
    });
    expect(refusal(() => parseFilter(USER, `title pr and ${"not (".repeat(100)}title pr${")".repeat(100)}`))).toMatchObject({
      scimType: "invalidFilter",
    });
  });

  test("M1: text that PostgreSQL can't take is refused, not passed on", () => {
    expect(refusal(() => parseFilter(USER, 'title eq "a\\u0000"'))).toMatchObject({ scimType: "invalidFilter" });
    expect(refusal(() => parseFilter(USER, 'title eq "\\ud800"'))).toMatchObject({ scimType: "invalidFilter" });
  });

  test("M1: members of a group can be asked for with and without their sub-attribute", () => {
    const group: JsonObject = { members: [{ value: "u1", type: "User" }] };
    expect(satisfies(parseFilter(GROUP, 'members eq "u1"'), group)).toBe(true);
    expect(satisfies(parseFilter(GROUP, 'members[value eq "u1" and type eq "Group"]'), group)).toBe(false);
  });
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
