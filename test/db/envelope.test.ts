import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { open, seal, sealingKey } from "../../src/db/envelope.ts";

describe("envelope", () => {
  const key = sealingKey(randomBytes(32));
  const sealed = seal(key, { purpose: "connection.ldap.bindPassword", plain: "s3cret" });

  test("opens for its purpose only", () => {
    expect(open({ current: key, older: [] }, { purpose: "connection.ldap.bindPassword", sealed })).toBe("s3cret");
    expect(() => open({ current: key, older: [] }, { purpose: "connection.other.bindPassword", sealed })).toThrow(/does not open/);
  });

  test("an older key still opens what it sealed; a foreign one is named", () => {
    const next = sealingKey(randomBytes(32));
    expect(open({ current: next, older: [key] }, { purpose: "connection.ldap.bindPassword", sealed })).toBe("s3cret");
    expect(() => open({ current: next, older: [] }, { purpose: "connection.ldap.bindPassword", sealed })).toThrow(new RegExp(key.id));
  });

  test("a changed byte is noticed", () => {
    const changed = sealed.slice(0, -2) + (sealed.endsWith("AA") ? "BB" : "AA");
    expect(() => open({ current: key, older: [] }, { purpose: "connection.ldap.bindPassword", sealed: changed })).toThrow(/does not open/);
  });
});
