import { Option, type Command } from "commander";
import { listPlans, type PlanState } from "../sync/plans.ts";
import { findConnection } from "../connections/open.ts";
import { wholeNumber } from "./arguments.ts";
import { itemsOf } from "./counts.ts";
import type { Shell } from "./shell.ts";

interface Options {
  connection?: string;
  state?: PlanState;
  limit: number;
}

export function planList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("the newest plans first")
    .option("--connection <name>", "only of this connection")
    .addOption(
      new Option("--state <state>", "only these").choices([
        "staging",
        "closed",
        "held",
        "approved",
        "applying",
        "applied",
        "rejected",
        "superseded",
      ]),
    )
    .option("--limit <count>", "at most so many", wholeNumber, 20)
    .action(({ connection, state, limit }: Options) =>
      shell.run(async ({ db, out }) => {
        if (connection !== undefined) await findConnection(db.pool, connection);
        out.table(await listPlans(db.pool, { connection, state, limit }), {
          columns: [
            { title: "PLAN", value: (row) => row.id, align: "right" },
            { title: "CONNECTION", value: (row) => row.connection },
            { title: "STATE", value: (row) => row.state },
            { title: "OPENED", value: (row) => row.openedAt },
            { title: "DECIDED BY", value: (row) => row.decidedBy },
            { title: "ITEMS", value: (row) => itemsOf(row.counts) },
            { title: "HELD BY", value: (row) => row.guards.map(({ guard }) => guard).join(", ") },
          ],
          empty:
            state === "held"
              ? "No plan waits for approval."
              : state !== undefined
                ? `There is no plan that is ${state}.`
                : "There is no plan yet: rollcall connection sync NAME makes one.",
        });
      }),
    );
}
