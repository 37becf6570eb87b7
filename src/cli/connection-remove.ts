import type { Command } from "commander";
import { inTransaction } from "../db/database.ts";
import { letGoConnection, type LetGo } from "../sync/remove-connection.ts";
import { count } from "./arguments.ts";
import type { Shell } from "./shell.ts";

export function connectionRemove(parent: Command, shell: Shell): void {
  parent
    .command("remove")
    .description("take out a connection; what it mastered goes over to the other origins of its people")
    .argument("<name>", "the connection")
    .option("--dry-run", "say what would become of its people, and change nothing")
    .option("--leaving <number>", "how many people this may leave without an origin, beyond its limits", count)
    .action((name: string, { dryRun = false, leaving }: { dryRun?: boolean; leaving?: number }) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const result = await inTransaction(db, ctx, (work) =>
          letGoConnection(work, { keyRing, name, preview: dryRun, ...(leaving === undefined ? {} : { leaving }) }),
        );
        out.result(
          { name, removed: !dryRun, ...result },
          dryRun ? previewOf(name, result) : `Removed ${name}; its tokens were revoked. ${sentence(result)}`,
        );
      }),
    );
}

function previewOf(name: string, result: LetGo): string {
  return `Nothing was changed. Removing ${name} would come to this: ${sentence(result)}`;
}

function sentence({ handedOver, leaving, disabled, enabled, groups, units }: LetGo): string {
  const inactive = disabled > 0 ? `, ${disabled} of them as not active` : "";
  const active = enabled > 0 ? `, ${enabled} of them as active again` : "";
  return `people left without an origin: ${leaving}; people whom other origins list: ${handedOver}${inactive}${active}; groups: ${groups}; units: ${units}.`;
}
