import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPacked } from "../../../src/access/snapshot/packed.ts";

test("lists that are packed side by side stay what they were put, however often they are replaced", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3000), fc.array(fc.integer(), { maxLength: 40 })), { maxLength: 400, size: "max" }), (puts) => {
      const packed = createPacked();
      const expected = new Map<number, number[]>();
      for (const [index, values] of puts) {
        packed.put(index, values);
        expected.set(index, values);
      }
      for (const [index, values] of expected) {
        const start = packed.start(index);
        expect(start >= 0).toBe(values.length > 0);
        expect([...packed.block().subarray(start, start + values.length)]).toEqual(values);
      }
    }),
  );
});
