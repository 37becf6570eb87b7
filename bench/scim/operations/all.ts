import type { Operation } from "../operation.ts";
import { GROUP_READS, GROUP_WRITES } from "./groups.ts";
import { PAGES } from "./pages.ts";
import { WRITES } from "./people.ts";
import { READS } from "./reads.ts";

/** What only reads, and what changes things: last, what makes the directory bigger. Rounds go through one part after the other. */
export const PARTS: readonly (readonly Operation[])[] = [
  [...READS, ...PAGES, ...GROUP_READS],
  [...GROUP_WRITES, ...WRITES],
];

/** In the order in which they are measured. */
export const OPERATIONS: readonly Operation[] = PARTS.flat();
