import type { Command } from "commander";
import { listConnections } from "../connections/store.ts";
import type { Shell } from "./shell.ts";

export function connectionList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("all connections with their state")
    .action(() =>
      shell.run(async ({ db, out }) => {
        out.table(await listConnections(db.pool), {
          columns: [
            { title: "NAME", value: (row) => row.name },
            { title: "CONNECTOR", value: (row) => row.connector },
            { title: "STATE", value: (row) => (row.enabled ? row.state : "disabled") },
            { title: "PEOPLE", value: (row) => row.people, align: "right" },
            { title: "DISPUTED", value: (row) => row.disputed, align: "right" },
            { title: "SCHEDULE", value: (row) => (row.schedule ? `${row.schedule} (${row.timeZone})` : "by hand") },
            { title: "LAST RUN", value: (row) => row.lastRunAt },
            { title: "REASON", value: (row) => row.stateReason ?? "" },
          ],
          empty: "There is no connection yet. Describe one in a YAML file and run: rollcall connection add FILE",
        });
      }),
    );
}
