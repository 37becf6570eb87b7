import { createTask } from "node-cron";

const SHOWN = 3;

/** The next times at which a schedule strikes, by this machine's clock; none without a schedule. The expression was validated when it was saved. */
export function nextStrokes({ schedule, timeZone }: { schedule: string | null; timeZone: string }): Date[] {
  if (schedule === null) return [];
  const task = createTask(schedule, () => undefined, { timezone: timeZone, unref: true });
  try {
    return task.getNextRuns(SHOWN);
  } finally {
    void task.destroy();
  }
}
