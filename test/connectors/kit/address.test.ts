import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isCidr, mayReach } from "../../../connectors/kit/address.ts";

const byte = fc.integer({ min: 0, max: 255 });
const PRIVATE = fc.oneof(
  fc.tuple(fc.constant(10), byte, byte, byte),
  fc.tuple(fc.constant(127), byte, byte, byte),
  fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
  fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
  fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
  fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
  fc.tuple(fc.constant(0), byte, byte, byte),
  fc.tuple(fc.integer({ min: 224, max: 255 }), byte, byte, byte),
);

const hex = (high: number, low: number) => ((high << 8) | low).toString(16);

describe("which addresses may be connected to", () => {
  test.each([
    "8.8.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ])("%s is a public host", (address) => expect(mayReach(address, [])).toBe(true));

  test.each([
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "fec0::1",
    "2001:db8::1",
    "2001::1",
    "100::1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::a00:1",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "198.19.0.1",
    "not an address",
    "",
  ])("%j is none", (address) => expect(mayReach(address, [])).toBe(false));

  test("no private IPv4 address is reached, in itself or wrapped into IPv6", () => {
    fc.assert(
      fc.property(PRIVATE, ([a, b, c, d]) => {
        const dotted = `${a}.${b}.${c}.${d}`;
        const tail = `${hex(a, b)}:${hex(c, d)}`;
        for (const form of [
          dotted,
          `::ffff:${dotted}`,
          `::ffff:${tail}`,
          `0:0:0:0:0:ffff:${tail}`,
          `::${dotted}`,
          `64:ff9b::${tail}`,
          `2002:${tail}::1`,
        ])
          expect([form, mayReach(form, [])]).toEqual([form, false]);
      }),
    );
  });

  test("a network that the operator allows is reached, and no other; wrapped addresses count as what they wrap", () => {
    fc.assert(
      fc.property(byte, byte, (c, d) => {
        const allow = ["10.1.0.0/16", "fd00:1::/32"];
        expect(mayReach(`10.1.${c}.${d}`, allow)).toBe(true);
        expect(mayReach(`::ffff:10.1.${c}.${d}`, allow)).toBe(true);
        expect(mayReach(`fd00:1::${hex(c, d)}`, allow)).toBe(true);
        expect(mayReach(`10.2.${c}.${d}`, allow)).toBe(false);
        expect(mayReach(`fd00:2::${hex(c, d)}`, allow)).toBe(false);
        expect(mayReach(`127.0.${c}.${d}`, allow)).toBe(false);
      }),
    );
  });

  test("what names a network", () => {
    expect(["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1/128"].filter((text) => !isCidr(text))).toEqual([]);
    expect(["10.0.0.0", "10.0.0.0/33", "10.0/8", "fd00::/129", "host/8", "10.0.0.0/8/8", "10.0.0.0/-1", "/8", ""].filter(isCidr)).toEqual(
      [],
    );
  });
});
