import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { setAside } from "../../../connectors/kit/set-aside.ts";

test("what is set aside comes back as it was, in its order, in lots", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ name: fc.string({ unit: "binary" }), values: fc.array(fc.string()) }), {
        maxLength: 30,
      }),
      fc.integer({ min: 1, max: 8 }),
      async (items, lot) => {
        const aside = setAside<(typeof items)[number]>({ lot });
        try {
          for (const item of items) await aside.add(item);
          const lots: (typeof items)[] = [];
          for await (const each of aside.lots()) lots.push([...each]);
          expect(lots.flat()).toEqual(items);
          expect(lots.every((each) => each.length > 0 && each.length <= lot)).toBe(true);
        } finally {
          await aside.close();
        }
      },
    ),
    { numRuns: 50 },
  );
});
