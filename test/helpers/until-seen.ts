import { expect } from "@jest/globals";
import fc from "fast-check";

const ROUNDS = 8;

/**
 * Holds a property, and holds it again until `seen` has counted the case that the property is about:
 * a few random histories may well never come upon it. Fails when eight rounds did not.
 */
export async function assertUntilSeen<Values>(
  property: fc.IAsyncProperty<Values>,
  { seen, ...parameters }: fc.Parameters<Values> & { seen: () => number },
): Promise<void> {
  for (let round = 0; round < ROUNDS && (round === 0 || seen() === 0); round += 1) await fc.assert(property, parameters);
  expect(seen()).toBeGreaterThan(0);
}
