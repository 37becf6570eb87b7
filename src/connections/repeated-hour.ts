import { parse } from "node-cron";

const MINUTE_MS = 60_000;
/** By how much clocks are set back: an hour nearly everywhere, half of one on Lord Howe, two at Troll. */
const SET_BACK_MS = [60, 30, 120].map((minutes) => minutes * MINUTE_MS);
const EVERY_HOUR = 24;

/**
 * Whether a schedule that names hours has struck at this time already: in the hour that autumn repeats, its clock shows the same
 * twice. One that strikes in every hour goes on, as nobody would wait an hour longer. Pure.
 */
export function struckBefore(at: Date, { expression, timeZone }: { expression: string; timeZone: string }): boolean {
  if (parse(expression).hour.length === EVERY_HOUR) return false;
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short", timeStyle: "short" });
  const shown = clock.format(at);
  return SET_BACK_MS.some((before) => clock.format(new Date(at.getTime() - before)) === shown);
}
