import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Fault, type FaultKind } from "../../../connectors/contract.ts";
import { withRetry, type RetryOptions } from "../../../connectors/kit/retry.ts";

/** Runs without waiting; answers what was thrown or returned, and the waits that were asked for. */
async function attempts(faults: readonly unknown[], options: Partial<RetryOptions> = {}): Promise<{ waits: number[]; outcome: unknown }> {
  const waits: number[] = [];
  const sleep = async (delayMs: number) => void waits.push(delayMs);
  const operation = async (attempt: number) => {
    const fault = faults[attempt - 1];
    if (fault !== undefined) throw fault;
    return "done";
  };
  const outcome = await withRetry(operation, { signal: new AbortController().signal, sleep, ...options }).catch((error: unknown) => error);
  return { waits, outcome };
}

const fault = (kind: FaultKind, retryAfterMs?: number) => new Fault(kind, kind, retryAfterMs === undefined ? {} : { retryAfterMs });

describe("trying again", () => {
  test("what fails in passing is tried again, with growing waits", async () => {
    const { waits, outcome } = await attempts([fault("transient"), fault("throttled"), fault("transient")], { random: () => 1 });
    expect(outcome).toBe("done");
    expect(waits).toEqual([250, 500, 1000]);
  });

  test("whoever is stopped while waiting learns why", async () => {
    const stop = new AbortController();
    const onRetry = () => setImmediate(() => stop.abort(new Error("stopped by the admin")));
    const { outcome } = await attempts([fault("throttled", 60_000)], { signal: stop.signal, onRetry, sleep: undefined });
    expect(outcome).toEqual(new Error("stopped by the admin"));
  });

  test("what will fail again is thrown at once", async () => {
    for (const kind of ["expired", "gone", "exists", "rejected", "denied", "misconfigured"] as const) {
      const thrown = fault(kind);
      expect(await attempts([thrown])).toEqual({ waits: [], outcome: thrown });
    }
    const bug = new TypeError("a bug");
    expect(await attempts([bug])).toEqual({ waits: [], outcome: bug });
  });

  test("the last fault is thrown once the attempts are used up", async () => {
    const last = fault("transient");
    const { waits, outcome } = await attempts([fault("transient"), fault("transient"), last], { attempts: 3 });
    expect(outcome).toBe(last);
    expect(waits).toHaveLength(2);
  });

  test("never sooner than the system asked for, and not much later than the backoff (property)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 60_000 }), fc.double({ min: 0, max: 1, noNaN: true }), async (asked, chance) => {
        const { waits } = await attempts([fault("throttled", asked)], { random: () => chance });
        expect(waits[0]).toBeGreaterThanOrEqual(asked);
        expect(waits[0]).toBeLessThanOrEqual(Math.max(asked, 125) + 125);
      }),
    );
  });

  test("a system that asks for too long is not waited for", async () => {
    const thrown = fault("throttled", 3_600_000);
    expect(await attempts([thrown])).toEqual({ waits: [], outcome: thrown });
  });

  test("an abort ends the waiting", async () => {
    const stop = new AbortController();
    const running = withRetry(async () => Promise.reject(fault("transient")), {
      signal: stop.signal,
      firstDelayMs: 60_000,
      onRetry: () => setTimeout(() => stop.abort(new Error("stopped")), 1),
    });
    await expect(running).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
  });
});
