import { lockAdministrators } from "../access/last-administrator.ts";
import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { AppError } from "../errors.ts";
import type { Tripped } from "./guard.ts";
import { mayLeaveNoAdministrator } from "./guard-administrator.ts";

export interface Decision {
  planId: number;
  /** Hexadecimal: the hash under which the plan was shown to whoever decides. Absent: as it is. */
  hash?: string;
  reason?: string;
}

interface HeldPlan {
  state: string;
  hash: Buffer;
  run_id: number;
  connection_id: number;
  guards: readonly Tripped[] | null;
  /** The plan of the same connection that waits for a decision. */
  waiting: number | null;
}

/**
 * Lets a held plan be applied exactly as it was shown; the job that applies it is queued in the same transaction.
 * Throws `not_found`; `conflict` when the plan is no longer held (a newer run has superseded it, or somebody decided), and when it would
 * leave no administrator by now and was not held for that; `precondition_failed` when it is not the one that was shown.
 */
export async function approvePlan(work: Work, decision: Decision): Promise<void> {
  const { planId, reason } = decision;
  // Before the plan's row: the order is administrators first.
  await lockAdministrators(work.sql);
  const plan = await decide(work, { ...decision, state: "approved" });
  await refuseUntold(work, { planId, plan });
  await recordEvent(work, {
    name: "plan.approved",
    subjectType: "plan",
    subjectId: String(planId),
    ...(reason === undefined ? {} : { reason }),
    data: { plan: planId, hash: plan.hash.toString("hex") },
  });
  await enqueue(work.sql, { job: "apply_plan", payload: { planId }, key: `apply_plan:${planId}` });
}

/** Refuses a held plan: nothing of it is applied, and the next run decides anew. */
export async function rejectPlan(work: Work, decision: Decision): Promise<void> {
  const { planId, reason } = decision;
  const plan = await decide(work, { ...decision, state: "rejected" });
  await work.sql.query("update runs set state = 'done', finished_at = $2 where id = $1", [plan.run_id, work.ctx.now()]);
  await recordEvent(work, {
    name: "plan.rejected",
    subjectType: "plan",
    subjectId: String(planId),
    ...(reason === undefined ? {} : { reason }),
    data: { plan: planId, hash: plan.hash.toString("hex") },
  });
}

/** Other administrators may have gone since it was decided: who approves was not told that these are the last. */
async function refuseUntold({ ctx, sql }: Work, { planId, plan }: { planId: number; plan: HeldPlan }): Promise<void> {
  if (plan.guards?.some(({ guard }) => guard === "administrator")) return;
  if (await mayLeaveNoAdministrator(sql, { planId, connectionId: plan.connection_id, now: ctx.now() }))
    throw new AppError(
      "conflict",
      `By now, plan ${planId} may leave the organisation without an administrator, or with none whose rights don't end: make another one first, or sync again and look at what it says then.`,
      { field: "plan" },
    );
}

async function decide({ ctx, sql }: Work, { planId, state, hash }: Decision & { state: "approved" | "rejected" }): Promise<HeldPlan> {
  // A connection that was removed took its plans out of sight.
  const { rows } = await sql.query<HeldPlan>(
    `select p.state, p.hash, p.run_id, p.connection_id, p.guards, (select max(w.id) from plans w where w.connection_id = p.connection_id and w.state = 'held') as waiting
     from plans p join connections c on c.id = p.connection_id where p.id = $1 for update of p`,
    [planId],
  );
  const [plan] = rows;
  if (!plan) throw new AppError("not_found", `There is no plan ${planId}.`, { field: "plan" });
  if (plan.state !== "held")
    throw new AppError("conflict", `Plan ${planId} is ${plan.state}, not held${insteadOf(plan, planId)}.`, { field: "plan" });
  if (hash !== undefined && hash !== plan.hash.toString("hex"))
    throw new AppError("precondition_failed", `Plan ${planId} is not the one that you were shown: its hash is another. Look at it again.`, {
      field: "hash",
    });
  await sql.query("update plans set state = $2, decided_by = $3, decided_at = $4 where id = $1", [planId, state, ctx.actor, ctx.now()]);
  return plan;
}

/** A run that decides what is held already leaves that to wait, and supersedes its own; so does one that was for looking only. */
function insteadOf({ state, waiting }: HeldPlan, planId: number): string {
  if (state !== "superseded") return "";
  if (waiting === null) return ": it was for looking only, or a newer run has taken its place";
  return waiting > planId ? `: a newer run has taken its place, with plan ${waiting}` : `: plan ${waiting} waits for a decision instead`;
}
