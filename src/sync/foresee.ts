import type { Sql } from "../db/database.ts";
import { oneAccountAtOnce } from "./one-at-once.ts";
import { namesPassedOn, type PassedOn } from "./passed-on.ts";
import { unfinishedBefore } from "./unfinished.ts";

/** What is settled at the end of a plan. */
export interface Foreseen {
  /** It, and those before it that broke half-way. */
  planIds: readonly number[];
  /** When the first of them was opened. */
  openedAt: Date;
  passed: readonly PassedOn[];
}

/**
 * What has to be asked before the first item of a plan is applied, because afterwards nobody knows. It is asked once: whoever goes on
 * with a plan that a killed node left finds the answers.
 */
export async function foresee(
  sql: Sql,
  { planId, connectionId, openedAt }: { planId: number; connectionId: number; openedAt: Date },
): Promise<Foreseen> {
  const unfinished = await unfinishedBefore(sql, { planId, connectionId });
  return {
    planIds: [...unfinished.map(({ id }) => id), planId],
    openedAt: unfinished[0]?.openedAt ?? openedAt,
    passed: [...unfinished.flatMap(({ passedOn }) => passedOn), ...(await passedOnBy(sql, { planId, connectionId }))],
  };
}

async function passedOnBy(sql: Sql, of: { planId: number; connectionId: number }): Promise<readonly PassedOn[]> {
  const { rows } = await sql.query<{ passedOn: readonly PassedOn[] | null }>(
    'select passed_on as "passedOn" from plans where id = $1 for update',
    [of.planId],
  );
  const known = rows[0]?.passedOn;
  if (known) return known;
  await oneAccountAtOnce(sql, of);
  const passed = await namesPassedOn(sql, of);
  await sql.query("update plans set passed_on = $2 where id = $1", [of.planId, JSON.stringify(passed)]);
  return passed;
}

/** Once a plan is carried through, nobody asks again: neither for it, nor for any before it, though nothing of that one was applied. */
export async function forgetForeseen(sql: Sql, { planId, connectionId }: { planId: number; connectionId: number }): Promise<void> {
  await sql.query("update plans set passed_on = null where connection_id = $1 and id <= $2 and passed_on is not null", [
    connectionId,
    planId,
  ]);
}
