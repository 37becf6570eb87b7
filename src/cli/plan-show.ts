import type { Command } from "commander";
import { showPlan, type PlanItemRow, type ShownPlan } from "../sync/plans.ts";
import { idNumber, wholeNumber } from "./arguments.ts";
import { countLines } from "./counts.ts";
import { alignedRows, moment } from "./output.ts";
import type { Shell } from "./shell.ts";

export function planShow(parent: Command, shell: Shell): void {
  parent
    .command("show")
    .description("what a plan would do, item by item, those who leave first")
    .argument("<id>", "the plan")
    .option("--limit <count>", "at most so many items", wholeNumber, 100)
    .option("--action <action>", "only items of this action: create, update, disable, delete, dispute, …")
    .action((id: string, { limit, action }: { limit: number; action?: string }) =>
      shell.run(async ({ db, out }) => {
        const plan = await showPlan(db.pool, { planId: idNumber(id, "id"), limit, action });
        out.result(plan, planLines(plan));
      }),
    );
}

function planLines(plan: ShownPlan): string[] {
  const decided = plan.decidedBy === null ? [] : [`Decided by ${plan.decidedBy} at ${moment(plan.decidedAt)}`];
  return [
    `Plan ${plan.id} of ${plan.connection}, ${plan.state}, opened ${moment(plan.openedAt)}, hash ${plan.hash ?? "not closed yet"}`,
    ...decided,
    ...plan.guards.map(({ message }) => `Held: ${message}`),
    ...countLines(plan.counts),
    ...(plan.items.length === 0 ? [emptyLine(plan)] : ["", ...itemLines(plan.items)]),
    ...(plan.more ? [`… and more: --limit shows them.`] : []),
    ...(plan.state === "held" ? ["", `Next: rollcall plan approve ${plan.id}, or rollcall plan reject ${plan.id}`] : []),
  ];
}

function emptyLine({ counts }: ShownPlan): string {
  return Object.keys(counts).length === 0
    ? "It has no items."
    : "No such items stand here; those of plans that ended are kept for thirty days, the audit trail for longer.";
}

function itemLines(items: readonly PlanItemRow[]): string[] {
  return alignedRows(items, [
    { title: "ACTION", value: (item) => item.action },
    { title: "KIND", value: (item) => item.kind },
    { title: "SUBJECT", value: (item) => item.subject ?? item.nativeId },
    { title: "CHANGES", value: changesOf },
    { title: "REASON", value: (item) => item.reason },
    { title: "OUTCOME", value: (item) => item.outcome ?? "" },
  ]);
}

function changesOf({ changed, membersAdded, membersRemoved }: PlanItemRow): string {
  const members = membersAdded || membersRemoved ? [`members +${membersAdded} -${membersRemoved}`] : [];
  return [...changed.slice(0, 4), ...(changed.length > 4 ? [`${changed.length - 4} more`] : []), ...members].join(", ");
}
