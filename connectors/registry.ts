import type { Connector } from "./contract.ts";

/** One line a connector; a test asserts that these are the folders. */
export const connectors: Readonly<Record<string, Connector<never>>> = {};
