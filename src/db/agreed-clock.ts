import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../errors.ts";
import type { Sql } from "./database.ts";

/** By how much the clocks of this machine and of the database's may differ: as Kerberos has it (RFC 4120), so that nobody is locked out for less. */
const MOST_SECONDS = 300;
export const CLOCKS_APART_MS = MOST_SECONDS * 1000;

/**
 * What is wrong with this machine's clock, as a sentence; undefined while it agrees with the database's. Whoever loses access by a node
 * that is an hour ahead would keep it on all others for an hour, and one that is behind would go on with what has ended.
 */
export async function clockProblem(sql: Sql, now: () => Date): Promise<string | undefined> {
  const lead = await leadOf(sql, now);
  const seconds = Math.abs(lead);
  if (seconds <= MOST_SECONDS) return undefined;
  return `This machine's clock is ${seconds} s ${lead > 0 ? "ahead of" : "behind"} the database's: what ends on one node would go on on others for as long. Have both set by NTP.`;
}

/**
 * Waits for a moment on a machine whose clock is behind the database's, by no more than is allowed. Jobs are due by the database's clock:
 * one that finds by its own that its time has not come, and queues itself for then, would be due again at once.
 */
export async function waitIfBehind(sql: Sql, { now, signal }: { now: () => Date; signal: AbortSignal }): Promise<void> {
  const behind = -(await leadOf(sql, now));
  if (behind >= 1 && behind <= MOST_SECONDS) await sleep(BEHIND_WAIT_MS, undefined, { signal });
}

const BEHIND_WAIT_MS = 1000;

/** Whole seconds by which this machine's clock is certainly ahead of the database's; below 0 when it is behind. */
async function leadOf(sql: Sql, now: () => Date): Promise<number> {
  const asked = now().getTime();
  const { rows } = await sql.query<{ ms: number }>("select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms");
  const answered = now().getTime();
  const lead = (asked + answered) / 2 - (rows[0]?.ms ?? answered);
  // The database read its clock at some time in between.
  return Math.sign(lead) * Math.max(0, Math.floor((Math.abs(lead) - (answered - asked) / 2) / 1000));
}

/** Throws `misconfigured` when this machine's clock and the database's are more than five minutes apart. */
export async function requireAgreedClock(sql: Sql, now: () => Date): Promise<void> {
  const problem = await clockProblem(sql, now);
  if (problem !== undefined) throw new AppError("misconfigured", problem);
}
