import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Network } from "../connectors/contract.ts";

/** Who acts: `cli:root`, `token:okta`, `person:<id>`, `connection:ldap`, `system`. */
export type Actor = `${"cli" | "token" | "person" | "connection"}:${string}` | "system";

/** What every flow carries. Passed, never global; time is always asked of `now()`, so that expiry can be tested. */
export interface Context {
  readonly actor: Actor;
  readonly correlationId: string;
  readonly now: () => Date;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** What connections may reach; absent = public addresses only. */
  readonly network?: Network | undefined;
}

export interface ContextOptions {
  actor: Actor;
  log: Logger;
  correlationId?: string;
  now?: () => Date;
  signal?: AbortSignal;
  network?: Network | undefined;
}

/** The child logger and a signal of its own are made when somebody asks for them: most requests never do. */
export function createContext(options: ContextOptions): Context {
  const correlationId = options.correlationId ?? randomUUID();
  let log: Logger | undefined;
  let signal = options.signal;
  return {
    actor: options.actor,
    correlationId,
    now: options.now ?? (() => new Date()),
    get log() {
      return (log ??= options.log.child({ correlationId }));
    },
    get signal() {
      return (signal ??= new AbortController().signal);
    },
    network: options.network,
  };
}
