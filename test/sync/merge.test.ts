import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { matchAccount, type Candidate } from "../../src/sync/match.ts";
import { LOCAL_PRECEDENCE, mergeOrigins, type Origin } from "../../src/sync/merge.ts";

const text = fc.option(fc.constantFrom("A", "B", "C", ""), { nil: undefined });
const origin = fc.record({
  connectionId: fc.integer({ min: 1, max: 5 }),
  precedence: fc.integer({ min: 1, max: 3 }),
  overrides: fc.record({ title: fc.integer({ min: 0, max: 4 }) }, { requiredKeys: [] }),
  contribution: fc.record({
    userName: text,
    title: text,
    "name.givenName": text,
    department: text,
    "custom.desk": text,
    active: fc.option(fc.boolean(), { nil: undefined }),
  }),
}) satisfies fc.Arbitrary<Origin>;
const origins = fc.uniqueArray(origin, { selector: ({ connectionId }) => connectionId, minLength: 1, maxLength: 4 });

describe("merging origins", () => {
  test("the order in which origins are asked makes no difference", () => {
    fc.assert(fc.property(origins, (each) => expect(mergeOrigins([...each].reverse())).toEqual(mergeOrigins(each))));
  });

  test("each attribute is the one of the origin that masters it", () => {
    fc.assert(
      fc.property(origins, (each) => {
        const { mastery, profile } = mergeOrigins(each);
        const master = mastery["title"] ?? mastery["*"];
        const claimants = each.filter(({ contribution }) => contribution.title !== undefined && contribution.title !== "");
        if (claimants.length === 0) return expect(profile["title"]).toBeUndefined();
        const rank = (one: Origin) => one.overrides["title"] ?? one.precedence;
        const least = Math.min(...claimants.map(rank));
        const winner = claimants.filter((one) => rank(one) === least).toSorted((left, right) => left.connectionId - right.connectionId)[0];
        expect([master, profile["title"]]).toEqual([winner?.connectionId, winner?.contribution.title]);
      }),
    );
  });

  test("invariant 9: a local edit yields to every origin that speaks, and stands where none does", () => {
    fc.assert(
      fc.property(origins, (each) => {
        const local: Origin = {
          connectionId: null,
          precedence: LOCAL_PRECEDENCE,
          overrides: {},
          contribution: { title: "Local", department: "Local", nickName: "Local" },
        };
        const alone = mergeOrigins(each);
        const { profile } = mergeOrigins([...each, local]);
        expect(profile["title"]).toBe(alone.profile["title"] ?? "Local");
        expect(profile["nickName"]).toBe("Local");
      }),
    );
  });
});

describe("M2: matching", () => {
  const candidate = (personId: string, key: Candidate["key"], value: string, { taken = false, unvouched = false } = {}): Candidate => ({
    personId,
    key,
    value,
    taken,
    unvouched,
  });
  const contribution = { userName: "Ada", employeeNumber: "7", emails: [{ value: "ADA@x.test" }] };
  const keys = ["employeeNumber", "userName", "emails"] as const;

  test.each([
    ["nobody", [], { situation: "unmatched" }],
    ["one, by the first key", [candidate("p", "employeeNumber", "7")], { situation: "unlinked", personId: "p", key: "employeeNumber" }],
    ["one, by case-insensitive login", [candidate("p", "userName", "Ada")], { situation: "unlinked", personId: "p", key: "userName" }],
    [
      "one, by several keys",
      [candidate("p", "emails", "ADA@x.test"), candidate("p", "userName", "Ada")],
      { situation: "unlinked", personId: "p", key: "userName" },
    ],
    [
      "two people by two keys",
      [candidate("p", "emails", "ADA@x.test"), candidate("q", "employeeNumber", "7")],
      { situation: "disputed", candidates: ["p", "q"] },
    ],
    [
      "somebody who has an account there already",
      [candidate("p", "userName", "Ada", { taken: true })],
      { situation: "disputed", candidates: ["p"] },
    ],
    [
      "somebody who was given it by who may not give it to everybody",
      [candidate("p", "userName", "Ada", { unvouched: true })],
      { situation: "disputed", candidates: ["p"] },
    ],
    [
      "somebody of whom one thing is vouched for",
      [candidate("p", "userName", "Ada", { unvouched: true }), candidate("p", "employeeNumber", "7")],
      { situation: "unlinked", personId: "p", key: "employeeNumber" },
    ],
    ["another's number", [candidate("p", "employeeNumber", "8")], { situation: "unmatched" }],
  ])("%s", (_what, candidates, expected) => {
    expect(matchAccount({ contribution, keys, candidates })).toMatchObject(expected);
  });
});
