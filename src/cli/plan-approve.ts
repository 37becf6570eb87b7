import type { Command } from "commander";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { applyPlan } from "../sync/apply-plan.ts";
import { approvePlan } from "../sync/approve.ts";
import { showPlan } from "../sync/plans.ts";
import { idNumber } from "./arguments.ts";
import { reportProgress } from "./progress.ts";
import type { Frame, Shell } from "./shell.ts";

export function planApprove(parent: Command, shell: Shell): void {
  parent
    .command("approve")
    .description("let a held plan be applied exactly as it was shown, and apply it")
    .argument("<id>", "the plan")
    .option("--later", "leave applying to the server")
    .action((id: string, { later = false }: { later?: boolean }) =>
      shell.run(async (frame) => {
        const { ctx, db, out } = frame;
        const planId = idNumber(id, "id");
        await inTransaction(db, ctx, (work) => approvePlan(work, { planId }));
        if (later) out.result({ plan: planId, state: "approved" }, `Plan ${planId} is approved; the next free worker applies it.`);
        else await applyHere(frame, planId);
      }),
    );
}

async function applyHere({ ctx, db, keyRing, out, terminal }: Frame, planId: number): Promise<void> {
  const progress = reportProgress(terminal);
  try {
    const applied = await applyPlan(ctx, { db, keyRing, planId, onProgress: progress.onProgress });
    progress.stop();
    const { refused, failed } = applied;
    out.result(
      { plan: planId, state: "applied", ...applied },
      `Plan ${planId}: applied ${applied.applied}${refused ? `, ${refused} refused because something had moved on` : ""}${failed ? `, ${failed} failed` : ""}.`,
    );
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== "busy" && error.code !== "conflict")) throw error;
    // A server's worker was quicker, or a run is under way: the approval stands, and its job does the rest.
    const { state } = await showPlan(db.pool, { planId, limit: 1 });
    if (state !== "approved" && state !== "applying" && state !== "applied") throw error;
    out.result(
      { plan: planId, state },
      state === "applied" ? `Plan ${planId} was applied by the server.` : `Plan ${planId} is approved; the server is at it.`,
    );
  } finally {
    progress.stop();
  }
}
