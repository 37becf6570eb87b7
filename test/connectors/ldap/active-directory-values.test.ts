import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatFileTime, isEnabled, withDisabled } from "../../../connectors/ldap/active-directory/account-control.ts";
import { forActiveDirectory } from "../../../connectors/ldap/active-directory/defaults.ts";
import { splitExtended } from "../../../connectors/ldap/active-directory/extended-names.ts";
import { formatGuid, formatSid, parseGuid } from "../../../connectors/ldap/active-directory/identifiers.ts";
import { faultOfResult } from "../../../connectors/ldap/faults.ts";
import { ldapSettings } from "../../../connectors/ldap/config.ts";

describe("values of Active Directory", () => {
  test("an objectGUID is the text that its own tools show, both ways (property)", () => {
    // MS-DTYP 2.3.4: Data1 to Data3 are little-endian.
    const bytes = Buffer.from("33221100554477668899aabbccddeeff", "hex");
    expect(formatGuid(bytes)).toBe("00112233-4455-6677-8899-aabbccddeeff");
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (value) => {
        const guid = Buffer.from(value);
        expect(parseGuid(formatGuid(guid) ?? "")).toEqual(guid);
      }),
    );
    expect(formatGuid(Buffer.alloc(15))).toBeUndefined();
    expect(parseGuid("cn=somebody")).toBeUndefined();
  });

  test("a security identifier", () => {
    expect(formatSid(Buffer.from("01020000000000052000000020020000", "hex"))).toBe("S-1-5-32-544");
    expect(formatSid(Buffer.from("0102000000000005", "hex"))).toBeUndefined();
  });

  test("names with and without their objectGUID", () => {
    const guid = "00112233-4455-6677-8899-AABBCCDDEEFF";
    expect(splitExtended(`<GUID=${guid}>;<SID=S-1-5-32-544>;CN=a\\,b;c,DC=x`)).toEqual({ guid: guid.toLowerCase(), dn: "CN=a\\,b;c,DC=x" });
    expect(splitExtended(`<GUID=${guid}>;OU=b,DC=x`)).toEqual({ guid: guid.toLowerCase(), dn: "OU=b,DC=x" });
    expect(splitExtended("CN=a,DC=x")).toEqual({ dn: "CN=a,DC=x" });
  });

  test("the disable bit comes and goes, and no other (property)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff_ffff }), (flags) => {
        const disabled = withDisabled(String(flags), true);
        const enabled = withDisabled(String(flags), false);
        expect(isEnabled(disabled)).toBe(false);
        expect(isEnabled(enabled)).toBe(true);
        expect(Number(disabled) - Number(enabled)).toBe(2);
        expect([disabled, enabled]).toContain(String(flags));
      }),
    );
    expect(isEnabled(undefined)).toBeUndefined();
    expect(withDisabled("many", true)).toBeUndefined();
  });

  test("an expiry as a time, and never as none", () => {
    expect(formatFileTime("133801632000000000")).toBe("2025-01-01T00:00:00.000Z");
    for (const never of ["0", "9223372036854775807", "soon", ""]) expect(formatFileTime(never)).toBeUndefined();
  });

  test("a refused sign-in says why", () => {
    const refusal = (data: string) =>
      faultOfResult(
        {
          status: 49,
          matchedDn: "",
          message: `80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ${data}, v1db1`,
          references: [],
        },
        { url: "ldaps://dc1", bindDn: "CN=sync", what: "the sign-in" },
      );
    expect(refusal("533")).toMatchObject({ kind: "denied", message: expect.stringMatching(/as CN=sync: the account is disabled\./) });
    expect(refusal("52e").message).toMatch(/: the password is wrong\./);
    expect(refusal("fff").message).toMatch(/the name or the password is wrong, or the account is locked/);
  });

  test("what settings leave open becomes what is usual there, what they say stays", () => {
    const given = { url: "ldaps://dc1.example.org", users: { base: "DC=x", attributes: ["mail"] }, groups: { base: "DC=x" } };
    const settings = forActiveDirectory(ldapSettings.parse({ ...given, nativeIdAttribute: "employeeID" }));
    expect(settings).toMatchObject({
      flavour: "activeDirectory",
      users: { filter: "(&(objectCategory=person)(objectClass=user))", attributes: ["mail"] },
      groups: { filter: "(objectClass=group)" },
      memberAttributes: ["member"],
      nativeIdAttribute: "employeeID",
      changedAttribute: "whenChanged",
      disable: { kind: "userAccountControl" },
    });
    expect(forActiveDirectory(settings)).toEqual(settings);
  });
});
