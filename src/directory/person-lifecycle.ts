import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { liftBlocks, raiseBlocks, type BlockEffect, type BlockOwner } from "./blocks.ts";
import { transition, type LifecycleAction, type LifecycleState, type TransitionStep } from "./lifecycle-transitions.ts";
import { setPersonExpiry } from "./person-expiry.ts";

export interface PersonBlock {
  owner: BlockOwner;
  effect: BlockEffect;
  /** Name of the connection, of those that origins own. */
  connection: string | null;
  reason: string;
  since: Date;
}

/** Why a person is not active; empty for somebody who is. */
export async function blocksOfPerson(sql: Sql, personId: string): Promise<PersonBlock[]> {
  const { rows } = await sql.query<PersonBlock>(
    `select b.owner, b.effect, c.name as connection, b.reason, b.valid_from as since from blocks b left join connections c on c.id = b.connection_id
     where b.person_id = $1 and b.recorded_to is null and b.valid_to is null order by b.valid_from, b.id`,
    [personId],
  );
  return rows;
}

export interface LifecycleChange {
  personId: string;
  action: LifecycleAction;
  reason: string;
  /** Whether somebody decides about themselves. */
  oneself: boolean;
  /** Of `expire`: when access ends; null = it has no end. */
  until?: Date | null;
}

/**
 * Suspends, activates, deactivates, or sets the end of somebody's access, in the caller's transaction and with all that follows.
 * Throws `not_found`; `conflict` or `forbidden` for what the lifecycle does not allow, with the blocks that stand in the way.
 */
export async function changeLifecycle(work: Work, change: LifecycleChange): Promise<void> {
  const { sql } = work;
  const { personId, action, oneself } = change;
  const { rows } = await sql.query<{ state: LifecycleState }>("select state from people where id = $1 for update", [personId]);
  const [person] = rows;
  if (!person || person.state === "deleted") throw new AppError("not_found", "There is no such person.", { field: "person" });
  const blocks = await blocksOfPerson(sql, personId);
  const decided = transition({ action, state: person.state, blocks, oneself });
  if (!decided.allowed) {
    const standing = action === "activate" ? blocks.map(saying) : [];
    throw new AppError(decided.code, [decided.why, ...standing].join(" "), { field: action });
  }
  for (const step of decided.steps) await carryOut(work, { step, change });
}

async function carryOut(work: Work, { step, change }: { step: TransitionStep; change: LifecycleChange }): Promise<void> {
  const { personId, reason } = change;
  if (step.op === "raise") await raiseBlocks(work, [{ personId, owner: step.owner, effect: step.effect, reason }]);
  else if (step.op === "lift") await liftBlocks(work, [{ personId, owner: step.owner, reason }]);
  else await setPersonExpiry(work, { personId, until: step.op === "set-end" ? (change.until ?? null) : null, reason });
}

function saying({ owner, connection, effect, reason }: PersonBlock): string {
  return `${connection ?? `"${owner}"`} keeps them ${effect}: ${reason}.`;
}
