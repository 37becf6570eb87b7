import { Fault } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import { flagConnection, noteFailure } from "../connections/state.ts";
import { inTransaction } from "../db/database.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Run } from "./begin.ts";

/**
 * Records that a run broke: nothing of its plan is applied beyond the batches that already were, and nothing is swept.
 * A refusal by the system flags the connection at once; anything else counts towards quarantine.
 */
export async function failRun(run: Run, error: unknown): Promise<void> {
  const code = error instanceof Fault ? error.kind : error instanceof AppError ? error.code : "internal";
  const message = messageOf(error);
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
    const state = await noteFailure(work, { id: run.connection.id, reason: message });
    if ((code === "denied" || code === "misconfigured") && state === "ready")
      await flagConnection(work, { id: run.connection.id, state: "flagged", reason: message });
  });
}
