import { createTask } from "node-cron";
import { struckBefore } from "./repeated-hour.ts";

const SHOWN = 3;

/** The next times at which a schedule strikes, by this machine's clock; none without a schedule. The expression was validated when it was saved. */
export function nextStrokes({ schedule, timeZone }: { schedule: string | null; timeZone: string }): Date[] {
  if (schedule === null) return [];
  const task = createTask(schedule, () => undefined, { timezone: timeZone, unref: true });
  try {
    const struck = (at: Date) => struckBefore(at, { expression: schedule, timeZone });
    return task
      .getNextRuns(2 * SHOWN)
      .filter((at) => !struck(at))
      .slice(0, SHOWN);
  } finally {
    void task.destroy();
  }
}
