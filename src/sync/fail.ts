import { Fault } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import { flagConnection, noteFailure } from "../connections/state.ts";
import { inTransaction } from "../db/database.ts";
import { passingFailure } from "../db/failures.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Run } from "./begin.ts";

/** Whether a run or a plan broke for want of our own database, so that the same again may go through. Pure. */
export function isLostDatabase(error: unknown): boolean {
  const told = passingFailure(error) ?? error;
  return told instanceof AppError && told.code === "unavailable";
}

/**
 * Records that a run broke: nothing of its plan is applied beyond the batches that already were, and nothing is swept.
 * A refusal by the system flags the connection at once; anything else counts towards quarantine, but for a database of ours that was
 * lost meanwhile: that says nothing of the system.
 */
export async function failRun(run: Run, error: unknown): Promise<void> {
  const told = passingFailure(error) ?? error;
  const code = told instanceof Fault ? told.kind : told instanceof AppError ? told.code : "internal";
  const message = messageOf(told);
  run.ctx.log.warn({ run: run.id, connection: run.connection.name, code, err: error }, "run failed");
  await inTransaction(run.db, run.ctx, async (work) => {
    const { ctx, sql } = work;
    await sql.query("update runs set state = 'failed', finished_at = $2, counts = $3, error_code = $4, error_message = $5 where id = $1", [
      run.id,
      ctx.now(),
      JSON.stringify(run.counts),
      code,
      message,
    ]);
    await sql.query("update plans set state = 'superseded' where id = $1 and state in ('staging', 'closed', 'applying')", [run.planId]);
    // A rehearsal says nothing about the system.
    if (run.rehearsal) return;
    await recordEvent(work, {
      name: "run.failed",
      subjectType: "run",
      subjectId: String(run.id),
      reason: message,
      data: { run: run.id, code },
    });
    if (isLostDatabase(error)) return;
    const state = await noteFailure(work, { id: run.connection.id, reason: message });
    if ((code === "denied" || code === "misconfigured") && state === "ready")
      await flagConnection(work, { id: run.connection.id, state: "flagged", reason: message });
  });
}
