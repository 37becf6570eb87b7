import type { Command } from "commander";
import { findConnection } from "../connections/open.ts";
import { resumeConnection } from "../connections/state.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function connectionResume(parent: Command, shell: Shell): void {
  parent
    .command("resume")
    .description("let a flagged or quarantined connection run again")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ ctx, db, out }) => {
        await findConnection(db.pool, name);
        const resumed = await inTransaction(db, ctx, (work) => resumeConnection(work, { name }));
        out.result(
          { name, resumed },
          resumed ? `${name} runs again, on its schedule or by: rollcall connection sync ${name}` : `${name} was ready anyway.`,
        );
      }),
    );
}
