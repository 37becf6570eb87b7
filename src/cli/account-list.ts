import { Option, type Command } from "commander";
import type { Kind } from "../../connectors/contract.ts";
import { listAccounts } from "../sync/accounts.ts";
import { findConnection } from "../connections/open.ts";
import { wholeNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

interface Options {
  situation?: string;
  connection?: string;
  kind?: Kind;
  limit: number;
  after?: number;
}

export function accountList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("what the systems hold, and what matching made of it")
    .addOption(new Option("--situation <situation>", "only these").choices(["linked", "unlinked", "unmatched", "disputed", "deleted"]))
    .option("--connection <name>", "only of this connection")
    .addOption(new Option("--kind <kind>", "only these").choices(["user", "group", "unit"]))
    .option("--limit <count>", "at most so many", wholeNumber, 100)
    .option("--after <id>", "go on after this account", wholeNumber)
    .action(({ situation, connection, kind, limit, after }: Options) =>
      shell.run(async ({ db, out }) => {
        if (connection !== undefined) await findConnection(db.pool, connection);
        const rows = await listAccounts(db.pool, { situation, connection, kind, limit, after });
        out.table(rows, {
          columns: [
            { title: "ID", value: (row) => row.id, align: "right" },
            { title: "CONNECTION", value: (row) => row.connection },
            { title: "KIND", value: (row) => row.kind },
            { title: "ACCOUNT", value: (row) => row.reference ?? row.nativeId },
            { title: "SITUATION", value: (row) => row.situation },
            { title: "PERSON", value: (row) => row.person ?? row.candidates.map(({ id, userName }) => `${userName}? (${id})`).join(" ") },
            { title: "CHANGED", value: (row) => row.seenAt },
          ],
          empty: situation === "disputed" ? "Nothing is disputed." : "There are no such accounts.",
        });
        if (rows.some((row) => row.situation === "disputed"))
          out.line("\nTo settle: rollcall account link ID PERSON, or `new` for a new person");
        else if (rows.length === limit) out.line(`\nThere may be more: --after ${rows.at(-1)?.id}`);
      }),
    );
}
