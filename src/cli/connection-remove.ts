import { rm } from "node:fs/promises";
import type { Command } from "commander";
import { removeConnection } from "../connections/store.ts";
import { inTransaction } from "../db/database.ts";
import { uploadsFolder } from "../connections/uploads-folder.ts";
import type { Shell } from "./shell.ts";

export function connectionRemove(parent: Command, shell: Shell): void {
  parent
    .command("remove")
    .description("take out a connection that holds no accounts")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ ctx, config, db, out }) => {
        await inTransaction(db, ctx, (work) => removeConnection(work, { name }));
        // Files that were handed in are no business of another connection that is given this name.
        await rm(uploadsFolder(config.data, name), { recursive: true, force: true });
        out.result({ name, removed: true }, `Removed ${name}; its tokens were revoked.`);
      }),
    );
}
