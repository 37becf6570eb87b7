import { describe, expect, test } from "@jest/globals";
import { compileExpression, type ExpectedType } from "../../src/expressions/compile.ts";
import { personVariables } from "../../src/expressions/environment.ts";

const onAccount = (source: string, expects: ExpectedType = "any") =>
  compileExpression({ source, subject: "account", expects, field: "mapping.user.attributes.x" });

describe("expressions over an account", () => {
  test.each([
    ["account.uid", "ada"],
    ["account.uid + '@lab.test'", "ada@lab.test"],
    ["account.missing", undefined],
    ["account.missing + 'x'", undefined],
    ["has(account.missing) ? 'a' : 'b'", "b"],
    ["parentDn(account.dn)", "ou=people,dc=lab"],
    ["rdnValue(account.dn)", "Lovelace, Ada"],
    ["list(account.uid)", ["ada"]],
    ["first(account.mail)", "a@x"],
    ["size(account.mail)", 2],
  ])("%s", (source, expected) => {
    expect(onAccount(source)({ uid: "ada", mail: ["a@x", "b@x"], dn: "cn=Lovelace\\, Ada,ou=people,dc=lab" })).toEqual(expected);
  });

  test.each([
    ["acount.uid", "any", /mapping\.user\.attributes\.x: at position 1: Unknown variable: acount/],
    ["account.uid ==", "any", /at position \d+: Unexpected token/],
    ["1 + 1", "bool", /expected bool, but `1 \+ 1` is int/],
    ["true", "list", /expected list/],
  ])("refuses %s when it is saved", (source, expects, message) => {
    expect(() => onAccount(source, expects as ExpectedType)).toThrow(message);
  });

  test("a failure while evaluating names the field", () => {
    expect(() => onAccount("account.mail.lowerAscii()")({ mail: ["a"] })).toThrow(
      /mapping\.user\.attributes\.x: found no matching overload/,
    );
  });
});

test("expressions over a person see every field, empty when unknown", () => {
  const evaluate = compileExpression({
    source: "person.active && 'Staff' in person.groups && person.department == ''",
    subject: "person",
    expects: "bool",
    field: "scope",
  });
  expect(evaluate(personVariables({ id: "1", attributes: { userName: "ada" }, active: true, state: "active", groups: ["Staff"] }))).toBe(
    true,
  );
});
