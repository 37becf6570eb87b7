import { expect, test } from "@jest/globals";
import { takenForGranted } from "../../src/expressions/taken-for-granted.ts";

test.each([
  ["account.end", ["end"]],
  ['account["last day"] == "" ? "" : account["last day"].substring(0, 10)', ["last day"]],
  ["list(account.unit)", ["unit"]],
  ["has(account.end) ? account.end : account.until", ["until"]],
  ['"end" in account ? account.end : ""', []],
  ['account.office.city + "-" + account.floor', ["office", "floor"]],
  ['account.groups.exists(each, each.name == "Staff")', ["groups"]],
  ['"always"', []],
  ["account.", []],
])("what %s takes for granted", (source, fields) => {
  expect(takenForGranted({ sources: [source], subject: "account" })).toEqual(fields);
});

test("what one expression asks for is granted to the others", () => {
  const sources = ["has(account.end)", "account.end", "account.login"];
  expect(takenForGranted({ sources, subject: "account" })).toEqual(["login"]);
});
