import { expect, test } from "@jest/globals";
import { z } from "zod";
import { wordsOf } from "../../../src/http/api/issue-words.ts";

const said = (schema: z.ZodType, value: unknown) => (schema.safeParse(value).error?.issues ?? []).map(wordsOf);

test("what is wrong with a value is told to whoever sent it, and a schema's own words are left", () => {
  expect(said(z.object({ reason: z.string() }), {})).toEqual(["is needed"]);
  expect(said(z.array(z.string()), "a")).toEqual(["must be of the type array, not string"]);
  expect(said(z.enum(["csv", "ndjson"]), "xml")).toEqual(["must be one of csv, ndjson"]);
  expect(said(z.literal("me"), "you")).toEqual(["must be me"]);
  const either = z.discriminatedUnion("for", [z.object({ for: z.literal("me") }), z.object({ for: z.literal("service") })]);
  expect(said(either, { for: "them" })).toEqual(["must be one of me, service"]);
  const forms = z.union([z.strictObject({ ids: z.array(z.int()).min(1) }), z.strictObject({ target: z.string() })]);
  expect(said(forms, {})).toEqual(["is in none of its forms: ids is needed; or target is needed"]);
  expect(said(z.union([z.string(), z.int()], "must be a name or a number"), true)).toEqual(["must be a name or a number"]);
  expect(said(z.number().min(1).max(200), 0)).toEqual(["must be at least 1"]);
  expect(said(z.number().min(1).max(200), 201)).toEqual(["must be at most 200"]);
  expect(said(z.string().min(1), "")).toEqual(["must not be empty"]);
  expect(said(z.string().max(2), "abc")).toEqual(["must have at most 2 characters"]);
  expect(said(z.array(z.int()).min(2), [1])).toEqual(["must have at least 2 elements"]);
  expect(said(z.string().regex(/^a$/, "must be a"), "b")).toEqual(["must be a"]);
});
