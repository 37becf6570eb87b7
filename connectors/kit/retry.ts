import { setTimeout as wait } from "node:timers/promises";
import { Fault, type FaultKind } from "../contract.ts";

export interface RetryOptions {
  signal: AbortSignal;
  /** The faults after which it is tried again; for a call that must not be made twice, those that say that nothing was done. */
  kinds?: readonly FaultKind[];
  /** How often it is tried in all. */
  attempts?: number;
  /** The first wait; every further one is twice as long, up to `longestDelayMs`. */
  firstDelayMs?: number;
  longestDelayMs?: number;
  /** A system that asks for more than this is not waited for: its fault is thrown. */
  longestRetryAfterMs?: number;
  onRetry?: (fault: Fault, next: { attempt: number; delayMs: number }) => void;
  /** Between 0 and 1. */
  random?: () => number;
  sleep?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

const RETRYABLE: readonly FaultKind[] = ["transient", "throttled"];

/**
 * Tries again what failed with a `transient` or `throttled` fault: exponential backoff with jitter, never sooner than
 * the system asked for. Every other fault is thrown at once, and so is the signal's reason.
 */
export async function withRetry<T>(operation: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, kinds = RETRYABLE, attempts = 4, firstDelayMs = 250, longestDelayMs = 30_000, longestRetryAfterMs = 120_000 } = options;
  const random = options.random ?? Math.random;
  const sleep = options.sleep ?? ((delayMs, abort) => wait(delayMs, undefined, { signal: abort }));
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      if (!(error instanceof Fault) || !kinds.includes(error.kind) || attempt >= attempts) throw error;
      const asked = error.retryAfterMs ?? 0;
      if (asked > longestRetryAfterMs) throw error;
      const backoff = Math.min(firstDelayMs * 2 ** (attempt - 1), longestDelayMs);
      // Jitter only ever adds to what the system asked for.
      const delayMs = Math.round(Math.max(asked, backoff / 2) + (backoff / 2) * random());
      options.onRetry?.(error, { attempt: attempt + 1, delayMs });
      // A wait that is cut short throws an error of its own; why the run was stopped, the signal says.
      await sleep(delayMs, signal).catch((stopped: unknown) => {
        signal.throwIfAborted();
        throw stopped;
      });
    }
  }
}

/** Whether the same call may well succeed a little later. */
export function isRetryable(error: unknown): error is Fault {
  return error instanceof Fault && RETRYABLE.includes(error.kind);
}
