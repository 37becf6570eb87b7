import type { Network } from "../connectors/contract.ts";

/** What is measured answers on this machine. */
export const OPEN_NETWORK: Network = { allow: ["127.0.0.0/8", "::1/128"] };
