import { describe, expect, test } from "@jest/globals";
import { ldapSettings } from "../../../connectors/ldap/config.ts";
import { ldap } from "../../../connectors/ldap/index.ts";

const good = { url: "ldaps://ldap.example.org", bindDn: "cn=sync", bindPassword: "secret", users: { base: "ou=people" } };
const problems = (change: Record<string, unknown>) =>
  ldapSettings.safeParse({ ...good, ...change }).error?.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) ?? [];

describe("settings of the LDAP connector", () => {
  test("good ones are filled up with defaults", () => {
    expect(ldapSettings.parse(good)).toMatchObject({
      nativeIdAttribute: "entryUUID",
      pageSize: 500,
      users: { filter: "(objectClass=inetOrgPerson)", scope: "sub" },
    });
    expect(problems({ url: "ldap://[::1]:3890" })).toEqual([]);
    expect(problems({ disable: { kind: "ppolicy" } })).toEqual([]);
    expect(ldapSettings.parse({ ...good, disable: { attribute: "employeeType", disabledValue: "no" } }).disable).toEqual({
      kind: "attribute",
      attribute: "employeeType",
      disabledValue: "no",
    });
  });

  test.each([
    [{ url: "http://ldap.example.org" }, /^url: must be ldaps:/],
    [{ url: "ldap://ldap.example.org" }, /^url: would send the password unencrypted/],
    [{ url: "ldaps://ldap.example.org", startTls: true }, /^startTls: /],
    [{ bindPassword: undefined }, /^bindPassword: bindDn and bindPassword belong together/],
    [{ bindPassword: "" }, /^bindPassword: /],
    [{ users: undefined }, /^users: give at least one/],
    [{ users: { base: "ou=people", filter: "(uid=" } }, /^users\.filter: is not an LDAP filter/],
    [{ users: { base: "ou=people", attributes: ["*"] } }, /^users\.attributes\.0: must be the name of an attribute/],
    [{ ca: "a path" }, /^ca: must be a certificate in PEM/],
    [{ pagesize: 3 }, /^: .*pagesize/],
  ])("%j is refused with its field", (change, message) => {
    expect(problems(change)).toEqual([expect.stringMatching(message)]);
  });

  test("plain text is allowed to this machine, with StartTLS, and where somebody says so", () => {
    for (const change of [
      { url: "ldap://127.0.0.1" },
      { url: "ldap://localhost:389" },
      { url: "ldap://ldap.example.org", startTls: true },
      { url: "ldap://ldap.example.org", allowPlaintext: true },
    ]) {
      expect(problems(change)).toEqual([]);
    }
  });

  test("the scope follows what a read covers, not how it is read", () => {
    const scope = (change: Record<string, unknown>) => JSON.stringify(ldap.scopeOf?.(ldapSettings.parse({ ...good, ...change })));
    expect(scope({ pageSize: 10, bindPassword: "other" })).toBe(scope({}));
    expect(scope({ users: { base: "ou=people", attributes: ["uid"] } })).toBe(scope({}));
    expect(scope({ users: { base: "ou=people", filter: "(uid=a)" } })).not.toBe(scope({}));
    expect(scope({ groups: { base: "ou=groups" } })).not.toBe(scope({}));
  });
});
