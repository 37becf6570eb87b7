import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isWithin, normaliseDn, parentOf, withoutUniqueId } from "../../../connectors/ldap/dn.ts";

describe("DNs in one form (RFC 4514)", () => {
  test.each([
    ["uid=ada,ou=people,dc=x", "uid=ada,ou=people,dc=x"],
    ["UID=Ada, OU=People , DC=X", "uid=ada,ou=people,dc=x"],
    ["cn = Ada  Lovelace ,dc=x", "cn=ada lovelace,dc=x"],
    ["cn=M\\C3\\BCller,dc=x", "cn=müller,dc=x"],
    ["CN=MÜLLER,dc=x", "cn=müller,dc=x"],
    ["cn=a\\,b,dc=x", "cn=a\\,b,dc=x"],
    ["cn=a\\2Cb,dc=x", "cn=a\\,b,dc=x"],
    ['cn="a,b",dc=x', "cn=a\\,b,dc=x"],
    ["cn=a\\20,dc=x", "cn=a,dc=x"],
    ["cn=a\\ ,dc=x", "cn=a,dc=x"],
    ["cn=\\#a,dc=x", "cn=\\#a,dc=x"],
    ["cn=a\\#b,dc=x", "cn=a#b,dc=x"],
    ["cn=a#b,dc=x", "cn=a#b,dc=x"],
    ["cn=a\\=b,dc=x", "cn=a=b,dc=x"],
    ["cn=a=b,dc=x", "cn=a=b,dc=x"],
    ["cn= a= b", "cn=a= b"],
    ["uid=1+CN=Ada,dc=x", "cn=ada+uid=1,dc=x"],
    ["2.5.4.3=#04024869,dc=x", "2.5.4.3=#04024869,dc=x"],
    ["", ""],
    ["no dn at all, Really", "no dn at all, really"],
  ])("%s", (written, normal) => {
    expect(normaliseDn(written)).toBe(normal);
  });

  test("the short way over Latin letters comes to what parsing comes to", () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom(..."aB1 ,=.Ł"),
        fc.integer({ min: 0xa0, max: 0x250 }).map((code) => String.fromCharCode(code)),
      ),
      maxLength: 20,
    });
    fc.assert(
      fc.property(text, text, (left, right) => {
        const dn = `cn=${left},ou=${right}`;
        // A space before everything means nothing, and is never taken by the short way.
        expect(normaliseDn(dn)).toBe(normaliseDn(` ${dn}`));
      }),
      { numRuns: 2000 },
    );
  });

  const value = fc.string({
    unit: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...'aB1 ,=+\\"#;<>éßİ') },
      { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 1, unit: "binary" }) },
    ),
    minLength: 1,
    maxLength: 8,
  });
  const types = fc.constantFrom("cn", "uid", "OU", "dc");
  const written = (text: string) => [...Buffer.from(text)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");

  test("whatever is normalised is normal, and nothing throws (property)", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.tuple(types, value)).map((parts) => parts.map(([type, text]) => `${type}=${text}`).join(",")),
        ),
        (dn) => {
          const once = normaliseDn(dn);
          expect(normaliseDn(once)).toBe(once);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("a name is the same however it is escaped and spaced (property)", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(types, value), { minLength: 1, maxLength: 4 }), (parts) => {
        const bytes = parts.map(([type, text]) => `${type}=${written(text)}`).join(",");
        const spaced = parts.map(([type, text]) => ` ${type.toUpperCase()} = ${written(text)} `).join(",");
        const backslashes = parts
          .map(
            ([type, text]) =>
              `${type}=${text.replace(/[\\",+;<>=#\s]/g, (found) => (/[\\",+;<>=# ]/.test(found) ? `\\${found}` : written(found)))}`,
          )
          .join(",");
        expect(normaliseDn(spaced)).toBe(normaliseDn(bytes));
        expect(normaliseDn(backslashes)).toBe(normaliseDn(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  test("the parent is the name above, behind the first comma that separates", () => {
    expect(parentOf("uid=a,ou=b,dc=c")).toBe("ou=b,dc=c");
    expect(parentOf("cn=a\\,b,dc=c")).toBe("dc=c");
    expect(parentOf("dc=c")).toBeUndefined();
  });

  test("within means at or below", () => {
    expect(isWithin("uid=a,ou=b", "ou=b")).toBe(true);
    expect(isWithin("ou=b", "ou=b")).toBe(true);
    expect(isWithin("ou=bb", "ou=b")).toBe(false);
    expect(isWithin("xou=b", "ou=b")).toBe(false);
  });

  test("uniqueMember's identifier is no part of the name", () => {
    expect(withoutUniqueId("cn=a,dc=x#'0101'B")).toBe("cn=a,dc=x");
    expect(withoutUniqueId("cn=a#b,dc=x")).toBe("cn=a#b,dc=x");
  });
});
