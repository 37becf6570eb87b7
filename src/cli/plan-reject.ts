import type { Command } from "commander";
import { inTransaction } from "../db/database.ts";
import { rejectPlan } from "../sync/approve.ts";
import { idNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

export function planReject(parent: Command, shell: Shell): void {
  parent
    .command("reject")
    .description("refuse a held plan: nothing of it is applied")
    .argument("<id>", "the plan")
    .action((id: string) =>
      shell.run(async ({ ctx, db, out }) => {
        const planId = idNumber(id, "id");
        await inTransaction(db, ctx, (work) => rejectPlan(work, { planId }));
        out.result({ plan: planId, state: "rejected" }, `Plan ${planId} is rejected; nothing was changed, and the next run decides anew.`);
      }),
    );
}
