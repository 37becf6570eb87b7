import type { Command } from "commander";
import { removeConnection } from "../connections/store.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function connectionRemove(parent: Command, shell: Shell): void {
  parent
    .command("remove")
    .description("take out a connection that holds no accounts")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ ctx, db, out }) => {
        await inTransaction(db, ctx, (work) => removeConnection(work, { name }));
        out.result({ name, removed: true }, `Removed ${name}; its tokens were revoked.`);
      }),
    );
}
