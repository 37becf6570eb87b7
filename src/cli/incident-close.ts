import { Option, type Command } from "commander";
import { closeIncident, lockIncident } from "../auth/risk/incident-changes.ts";
import type { IncidentOutcome } from "../auth/risk/incident-list.ts";
import { inTransaction } from "../db/database.ts";
import { uuidArgument } from "./arguments.ts";
import type { Shell } from "./shell.ts";

export function incidentClose(parent: Command, shell: Shell): void {
  parent
    .command("close")
    .description("close an incident; a suspension that it made is lifted")
    .argument("<id>", "the incident")
    .addOption(new Option("--outcome <outcome>", "what it was").choices(["resolved", "false_alarm"]).makeOptionMandatory())
    .requiredOption("--reason <text>", "why; it stands in the audit trail")
    .action((id: string, { outcome, reason }: { outcome: IncidentOutcome; reason: string }) =>
      shell.run(async ({ ctx, db, out }) => {
        await inTransaction(db, ctx, async (work) => {
          const incident = await lockIncident(work, uuidArgument(id, "id"));
          await closeIncident(work, { incident, outcome, reason });
        });
        out.result({ id, state: "closed", outcome }, `Incident ${id} is closed: ${outcome.replace("_", " ")}.`);
      }),
    );
}
