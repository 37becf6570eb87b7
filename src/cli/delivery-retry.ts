import type { Command } from "commander";
import { findConnection } from "../connections/open.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { retryDeliveries, type RetryOptions } from "../provision/letters.ts";
import { idNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

interface Options {
  connection?: string;
  all?: boolean;
}

export function deliveryRetry(parent: Command, shell: Shell): void {
  parent
    .command("retry")
    .description("send dead letters again, and let go what a guard held")
    .argument("[ids...]", "ids from `delivery list`")
    .option("--connection <name>", "all of this target")
    .option("--all", "all there are")
    .action((ids: readonly string[], options: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const chosen = choose(ids, options);
        if ("connection" in chosen) await findConnection(db.pool, chosen.connection);
        const count = await inTransaction(db, ctx, (work) => retryDeliveries(work, chosen));
        out.result(
          { retried: count },
          count === 0 ? "There was nothing to send again." : `${count} deliveries go out again as soon as a worker is free.`,
        );
      }),
    );
}

/** Throws `invalid` unless exactly one way of choosing is used: nothing is sent again by accident. */
function choose(ids: readonly string[], { connection, all }: Options): RetryOptions {
  const ways: RetryOptions[] = [];
  if (ids.length > 0) ways.push({ ids: ids.map((id) => idNumber(id, "ids")) });
  if (connection !== undefined) ways.push({ connection });
  if (all) ways.push({ all: true });
  const [chosen] = ways;
  if (!chosen || ways.length > 1)
    throw new AppError("invalid", "Say which: ids from `rollcall delivery list`, --connection NAME, or --all.", { field: "ids" });
  return chosen;
}
