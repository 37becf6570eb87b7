import { storableText } from "./kit/storable-text.ts";

export type FaultKind = "transient" | "throttled" | "expired" | "gone" | "exists" | "rejected" | "denied" | "misconfigured";

/** What a connector throws, named by the caller's reaction. The message is a sentence with what to do; it holds no secret. */
export class Fault extends Error {
  readonly kind: FaultKind;
  /** Wait at least this long before the next try. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FaultKind, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    // Whoever said it: a fault that can't be recorded would be thrown again for ever, and nobody told.
    super(storableText(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fault";
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}
