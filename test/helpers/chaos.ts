import { randomInt } from "node:crypto";

/** Of this process's random histories; CHAOS_SEED gives one back. It stands in the titles of the tests that use it. */
export const CHAOS_SEED = Number(process.env["CHAOS_SEED"] ?? randomInt(2 ** 31));

/** fast-check's parameters; CHAOS_HISTORIES asks for more histories than the test does by itself. */
export function chaos(histories: number): { seed: number; numRuns: number } {
  return { seed: CHAOS_SEED, numRuns: Number(process.env["CHAOS_HISTORIES"] ?? histories) };
}
