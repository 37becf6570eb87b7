import type { Operation } from "../operation.ts";
import { GROUP_READS, GROUP_WRITES } from "./groups.ts";
import { PAGES } from "./pages.ts";
import { WRITES } from "./people.ts";
import { READS } from "./reads.ts";

/** In the order in which they are measured: reads first, then what changes things, last what makes the directory bigger. */
export const OPERATIONS: readonly Operation[] = [...READS, ...PAGES, ...GROUP_READS, ...GROUP_WRITES, ...WRITES];
