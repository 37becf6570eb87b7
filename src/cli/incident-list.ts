import { Option, type Command } from "commander";
import { INCIDENT_KINDS, type IncidentKind } from "../auth/risk/finding.ts";
import { listIncidents, type IncidentState } from "../auth/risk/incident-list.ts";
import { wholeNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

interface Options {
  state?: IncidentState;
  kind?: IncidentKind;
  limit: number;
}

/** Whoever has this machine sees everything. */
const EVERYTHING = {
  permission: "rollcall.incidents.view",
  everything: true,
  organisation: true,
  paths: [],
  self: null,
  teamOf: null,
} as const;

export function incidentList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("patterns that look like somebody trying to get in, the one seen last first")
    .addOption(new Option("--state <state>", "only these").choices(["open", "investigating", "closed"]))
    .addOption(new Option("--kind <kind>", "only of this kind").choices(INCIDENT_KINDS))
    .option("--limit <count>", "at most so many", wholeNumber, 50)
    .action(({ state, kind, limit }: Options) =>
      shell.run(async ({ db, out }) => {
        out.table(await listIncidents(db.pool, { reach: EVERYTHING, state, kind, limit }), {
          columns: [
            { title: "KIND", value: (row) => row.kind },
            { title: "ABOUT", value: (row) => row.person?.userName ?? row.subjectId },
            { title: "STATE", value: (row) => row.outcome ?? row.state },
            { title: "ASSIGNEE", value: (row) => row.assignee?.userName },
            { title: "OPENED", value: (row) => row.openedAt },
            { title: "SEEN LAST", value: (row) => row.lastAt },
            { title: "ID", value: (row) => row.id },
          ],
          empty: "There is no such incident.",
        });
      }),
    );
}
