import { describe, expect, test } from "@jest/globals";
import { AppError } from "../../../src/errors.ts";
import { errorAnswer } from "../../../src/http/scim/errors.ts";
import { isMatch } from "../../../src/http/scim/preconditions.ts";
import { silentLog } from "../../helpers/database.ts";

const answer = (error: unknown) => errorAnswer(error, { log: silentLog });

describe("M1: errors in SCIM's form (RFC 7644 section 3.12)", () => {
  test.each([
    [new AppError("conflict", "taken"), 409, "uniqueness"],
    [new AppError("invalid", "bad"), 400, "invalidValue"],
    [new AppError("held", "too many"), 503, undefined],
    [new AppError("too_large", "big"), 413, undefined],
    [new AppError("precondition_failed", "moved on"), 412, undefined],
    [new AppError("unauthenticated", "who"), 401, undefined],
    [Object.assign(new Error("canceling statement due to statement timeout"), { code: "57014" }), 503, undefined],
    [Object.assign(new Error("deadlock detected"), { code: "40P01" }), 503, undefined],
    [Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }), 503, undefined],
    [new Error("password=hunter2"), 500, undefined],
    ["thrown text", 500, undefined],
  ])("M1: %s", (error, status, scimType) => {
    const { status: sent, headers, body } = answer(error);
    expect([sent, body.status, body.scimType]).toEqual([status, String(status), scimType]);
    expect(headers["Retry-After"] !== undefined).toBe(status === 503);
    expect(headers["WWW-Authenticate"] !== undefined).toBe(status === 401);
    expect(body.detail).not.toContain("hunter2");
  });

  test("M1: more problems than one are all told", () => {
    expect(
      answer(
        new AppError("invalid", "Two things.", {
          problems: [
            { field: "a", message: "is wrong" },
            { field: "b", message: "is missing" },
          ],
        }),
      ).body.detail,
    ).toBe("Two things. a: is wrong b: is missing");
  });

  test("M1: entity tags match weakly, in lists and as *", () => {
    expect([
      isMatch('W/"1.2"', 'W/"1.2"'),
      isMatch('"1.2"', 'W/"1.2"'),
      isMatch('"0", W/"1.2"', 'W/"1.2"'),
      isMatch("*", 'W/"1.2"'),
      isMatch('W/"1.3"', 'W/"1.2"'),
    ]).toEqual([true, true, true, true, false]);
  });
});
