import { Option, type Command } from "commander";
import { listDeliveries, type Letter } from "../provision/letters.ts";
import { findConnection } from "../connections/open.ts";
import { wholeNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

interface Options {
  state?: Letter["state"];
  connection?: string;
  limit: number;
}

export function deliveryList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("what is not delivered yet: dead letters, held, to be tried again, waiting")
    .addOption(new Option("--state <state>", "only these").choices(["dead", "held", "retrying", "waiting"]))
    .option("--connection <name>", "only to this target")
    .option("--limit <count>", "at most so many", wholeNumber, 1000)
    .action(({ state, connection, limit }: Options) =>
      shell.run(async ({ db, out }) => {
        if (connection !== undefined) await findConnection(db.pool, connection);
        out.table(await listDeliveries(db.pool, { state, connection, limit }), {
          columns: [
            { title: "ID", value: (row) => row.id, align: "right" },
            { title: "TARGET", value: (row) => row.connection },
            { title: "KIND", value: (row) => row.kind },
            { title: "SUBJECT", value: (row) => row.subject },
            { title: "STATE", value: (row) => row.state },
            { title: "WANTED", value: (row) => row.desired },
            { title: "TRIES", value: (row) => row.attempts, align: "right" },
            { title: "DECIDED", value: (row) => row.decidedAt },
            { title: "REASON", value: (row) => row.reason ?? "" },
          ],
          empty: state === undefined ? "Everything is delivered." : `No delivery is ${state}.`,
        });
      }),
    );
}
