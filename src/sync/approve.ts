import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { AppError } from "../errors.ts";

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
}

/**
 * Lets a held plan be applied exactly as it was shown; the job that applies it is queued in the same transaction.
 * Throws `not_found`; `conflict` when the plan is no longer held (a newer run has superseded it, or somebody decided);
 * `precondition_failed` when it is not the one that was shown.
 */
export async function approvePlan(work: Work, decision: Decision): Promise<void> {
  const { planId, reason } = decision;
  const plan = await decide(work, { ...decision, state: "approved" });
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

async function decide({ ctx, sql }: Work, { planId, state, hash }: Decision & { state: "approved" | "rejected" }): Promise<HeldPlan> {
  const { rows } = await sql.query<HeldPlan>("select state, hash, run_id from plans where id = $1 for update", [planId]);
  const [plan] = rows;
  if (!plan) throw new AppError("not_found", `There is no plan ${planId}.`, { field: "plan" });
  if (plan.state !== "held")
    throw new AppError(
      "conflict",
      `Plan ${planId} is ${plan.state}, not held${plan.state === "superseded" ? ": a newer run has taken its place" : ""}.`,
      { field: "plan" },
    );
  if (hash !== undefined && hash !== plan.hash.toString("hex"))
    throw new AppError("precondition_failed", `Plan ${planId} is not the one that you were shown: its hash is another. Look at it again.`, {
      field: "hash",
    });
  await sql.query("update plans set state = $2, decided_by = $3, decided_at = $4 where id = $1", [planId, state, ctx.actor, ctx.now()]);
  return plan;
}
