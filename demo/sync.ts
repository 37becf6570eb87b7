import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../src/errors.ts";
import type { RunSummary } from "../src/sync/finish.ts";
import type { Progress, Stage } from "../src/sync/progress.ts";
import { runSync } from "../src/sync/run.ts";
import type { RunMode } from "../src/sync/begin.ts";
import { deliveriesSettled, type DeliveryState } from "./deliveries.ts";
import { elapsed, type Bar, type Screen } from "./screen.ts";
import type { World } from "./world.ts";

export const SOURCE = "directory";
export const TARGET = "locker-app";

const LABELS: Partial<Record<Stage, string>> = {
  "read units": "Reading units",
  "read people": "Reading people",
  "read groups": "Reading groups",
  "list ids": "Who is still there",
  sweep: "Who has gone",
  apply: "Applying the plan",
};

/** Runs the directory's sync with a bar a stage. */
export async function syncWithBars(world: World, { screen, mode }: { screen: Screen; mode: RunMode }): Promise<RunSummary> {
  let current: { stage: Stage; bar: Bar; done: number } | undefined;
  const endCurrent = () => current?.bar.end(count(current.done));
  const onProgress = ({ stage, done, total }: Progress) => {
    const label = LABELS[stage];
    if (label === undefined) return;
    if (current?.stage !== stage) {
      endCurrent();
      current = { stage, bar: screen.progress(label), done };
    }
    current.done = done;
    current.bar.update(done, total ?? (stage === "read people" ? world.company.people : undefined));
  };
  const summary = await whenFree(world, () =>
    runSync(world.ctx, { db: world.db, keyRing: world.keyRing, connection: SOURCE, mode, trigger: "cli", onProgress }),
  );
  endCurrent();
  return summary;
}

/** A scheduled run may be at it: one at a time. */
async function whenFree<T>({ ctx }: World, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError && error.code === "busy")) throw error;
      await sleep(500, undefined, { signal: ctx.signal });
    }
  }
}

export function showPlan(screen: Screen, { planId, plan, applied, timings, hash, guards }: RunSummary): void {
  const total = Object.values(timings).reduce((sum, ms) => sum + ms, 0);
  screen.line();
  screen.line(`Plan ${planId}, bound by ${hash.slice(0, 12)}…, decided and applied in ${elapsed(total)}:`);
  const names = { unit: "units", user: "people", group: "groups" } as const;
  screen.facts(
    Object.fromEntries(
      Object.entries(plan).map(([kind, actions]) => [
        names[kind as keyof typeof names] ?? kind,
        Object.entries(actions)
          .map(([action, items]) => `${count(items)} ${action}`)
          .join(", "),
      ]),
    ),
  );
  for (const { message } of guards) screen.verdict(false, `held: ${message}`);
  if (applied.refused + applied.failed > 0) screen.verdict(false, `${applied.refused} refused, ${applied.failed} failed`);
}

/** Waits until all that was decided has reached the application. */
export async function deliverWithBar(world: World, screen: Screen): Promise<DeliveryState> {
  const bar = screen.progress("Delivering");
  const before = world.downstream.requestCount();
  const state = await deliveriesSettled(world.db.pool, {
    target: TARGET,
    signal: world.ctx.signal,
    onProgress: ({ done, total }) => bar.update(done, total),
  });
  bar.end(`${count(state.done)} of ${count(state.total)} in step, ${count(world.downstream.requestCount() - before)} requests`);
  return state;
}

export function count(value: number): string {
  return value.toLocaleString("en");
}
