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
  return new LazyContext(options);
}

/**
 * Its accessors are properties of its own, so that `{ ...ctx }` has what they give, and all contexts share them. V8 puts the pair of an
 * accessor's functions among the old objects: one that closes over a request keeps all of it, what it answers included, until a full
 * collection.
 */
class LazyContext implements Context {
  static readonly #made: PropertyDescriptorMap & ThisType<LazyContext> = {
    log: {
      enumerable: true,
      get() {
        return (this.#log ??= this.#options.log.child({ correlationId: this.correlationId }));
      },
    },
    signal: {
      enumerable: true,
      get() {
        return (this.#signal ??= this.#options.signal ?? new AbortController().signal);
      },
    },
  };

  readonly actor: Actor;
  readonly correlationId: string;
  readonly now: () => Date;
  readonly network: Network | undefined;
  declare readonly log: Logger;
  declare readonly signal: AbortSignal;
  readonly #options: ContextOptions;
  #log: Logger | undefined;
  #signal: AbortSignal | undefined;

  constructor(options: ContextOptions) {
    this.actor = options.actor;
    this.correlationId = options.correlationId ?? randomUUID();
    this.now = options.now ?? (() => new Date());
    this.network = options.network;
    this.#options = options;
    Object.defineProperties(this, LazyContext.#made);
  }
}
