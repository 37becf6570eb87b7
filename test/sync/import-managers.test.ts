import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { withoutWrongManagers } from "../../src/sync/import-managers.ts";
import type { PlannedRow } from "../../src/sync/import-plan.ts";

const row = (personId: string, manager: string): PlannedRow => ({
  line: 2,
  action: "create",
  personId,
  version: null,
  problems: [],
  changes: [],
  contribution: { manager },
  edit: null,
  state: "active",
  units: { add: [], remove: [] },
});
const wrong = (rows: readonly PlannedRow[]) => rows.filter(({ action }) => action === "error").flatMap(({ personId }) => personId ?? []);

/** The slow way: up from one, as far as it goes. */
function leads(above: ReadonlyMap<string, string>, { from, to }: { from: string; to: string }): boolean {
  const seen = new Set<string>();
  for (let at = above.get(from); at !== undefined && !seen.has(at); at = above.get(at)) {
    if (at === to) return true;
    seen.add(at);
  }
  return false;
}

describe("managers of a file", () => {
  test("P4: a line of fifty thousand is looked at once, and holds nobody up", () => {
    const rows = Array.from({ length: 50_000 }, (_, index) => row(`p${index}`, `p${index + 1}`));
    const above = new Map([["p50000", null]]);
    const by = { personId: "p50000", organisation: false, strangers: new Set(["p0"]) };
    expect(wrong(withoutWrongManagers(rows, { above, by }))).toEqual(["p0"]);
    expect(wrong(withoutWrongManagers([...rows, row("p50000", "p0")], { above, by: null }))).toHaveLength(50_001);
  }, 30_000);

  test("P4: who stands in a circle, and who would be led by whoever brings the file, are found among any", () => {
    const name = fc.integer({ min: 0, max: 8 }).map((each) => `p${each}`);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, name), { selector: ([person]) => person }),
        fc.subarray(["p0", "p1", "p2"]),
        (pairs, few) => {
          const above = new Map(pairs);
          const strangers = new Set(few);
          const rows = pairs.map(([person, manager]) => row(person, manager));
          const found = wrong(withoutWrongManagers(rows, { above: new Map(), by: { personId: "p8", organisation: false, strangers } }));
          const expected = pairs
            .map(([person]) => person)
            .filter(
              (person) => leads(above, { from: person, to: person }) || (strangers.has(person) && leads(above, { from: person, to: "p8" })),
            );
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });
});
