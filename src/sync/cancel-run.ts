import { recordEvent } from "../audit/record.ts";
import { inTransaction, type Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Run } from "./begin.ts";

/**
 * Cancels a run: one that waits ends at once, one that reads or decides stops within seconds, on whatever node it is. Nothing of its plan is applied.
 * Throws `not_found`; `conflict` when it is applied already, waits for approval, or has ended.
 */
export async function cancelRun(work: Work, { runId, reason }: { runId: number; reason?: string | undefined }): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ state: string }>("select state from runs where id = $1 for update", [runId]);
  const state = rows[0]?.state;
  if (state === undefined) throw new AppError("not_found", `There is no run ${runId}.`, { field: "run" });
  if (state === "applying")
    throw new AppError("conflict", `Run ${runId} is being applied: what no guard held is carried through.`, { field: "run" });
  if (state === "held")
    throw new AppError("conflict", `Run ${runId} has ended with a plan that waits for approval: reject the plan.`, { field: "run" });
  if (!["queued", "pulling", "planned"].includes(state))
    throw new AppError("conflict", `Run ${runId} has ended: it is ${state}.`, { field: "run" });
  await sql.query(
    `update runs set cancelled_by = $2, state = case state when 'queued' then 'cancelled' else state end,
       finished_at = case state when 'queued' then $3::timestamptz else finished_at end where id = $1`,
    [runId, ctx.actor, ctx.now()],
  );
  await recordEvent(work, {
    name: "run.cancelled",
    subjectType: "run",
    subjectId: String(runId),
    ...(reason === undefined ? {} : { reason }),
    data: { run: runId },
  });
}

/** Records that a run stopped because it was cancelled: that is no failure of the system. */
export async function endCancelled(run: Run): Promise<void> {
  await inTransaction(run.db, run.ctx, async ({ ctx, sql }) => {
    await sql.query("update runs set state = 'cancelled', finished_at = $2, counts = $3 where id = $1", [
      run.id,
      ctx.now(),
      JSON.stringify({ read: run.counts, notes: run.notes }),
    ]);
    await sql.query("update plans set state = 'superseded' where id = $1 and state in ('staging', 'closed', 'applying')", [run.planId]);
  });
}
