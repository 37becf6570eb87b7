import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalText, sameJson, type JsonValue } from "../../../src/http/scim/json.ts";

/** Few letters and numbers, so that two documents often say the same. */
const { document } = fc.letrec<{ document: JsonValue }>((tie) => ({
  document: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<JsonValue>(null, true, false, 0, -0, 1, "", "0", "null", "[]"),
    fc.array(tie("document"), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom("a", "b", "toString"), tie("document"), { maxKeys: 2, noNullPrototype: true }),
  ),
}));

test("two documents are the same when their texts with names in one order are", () => {
  fc.assert(
    fc.property(fc.option(document, { nil: undefined }), fc.option(document, { nil: undefined }), (left, right) => {
      expect(sameJson(left, right)).toBe(canonicalText(left) === canonicalText(right));
    }),
    { numRuns: 5000 },
  );
});

test("the order of names does not matter, however deep", () => {
  const reversed = (value: JsonValue): JsonValue =>
    typeof value !== "object" || value === null
      ? value
      : Array.isArray(value)
        ? value.map(reversed)
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, inner]) => [name, reversed(inner)]),
          );
  fc.assert(
    fc.property(document, (value) => {
      expect(sameJson(value, reversed(value))).toBe(true);
    }),
  );
});
