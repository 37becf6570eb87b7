import type { Command } from "commander";
import { withdrawAttribute } from "../access/attribute-removal.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function attributeRemove(parent: Command, shell: Shell): void {
  parent
    .command("remove")
    .description("take an attribute of the organisation's own away, with everybody's values")
    .argument("<key>", "the attribute")
    .action((key: string) =>
      shell.run(async ({ ctx, db, out }) => {
        await inTransaction(db, ctx, (work) => withdrawAttribute(work, key));
        out.result({ key, removed: true }, `Removed ${key}, and its values.`);
      }),
    );
}
