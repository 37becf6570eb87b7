import type { Command } from "commander";
import { rulesWithoutUnit } from "../access/rule-list.ts";
import { loadRulesFile } from "../access/rules.ts";
import { inTransaction } from "../db/database.ts";
import { readText } from "./read-text.ts";
import type { Shell } from "./shell.ts";

export function ruleLoad(parent: Command, shell: Shell): void {
  parent
    .command("load")
    .description("save the rules of a YAML file by their names, all or none (- reads standard input)")
    .argument("<file>", "`rules:` and a list of them")
    .action((file: string) =>
      shell.run(async ({ ctx, db, out }) => {
        const text = readText(file);
        const counts = await inTransaction(db, ctx, (work) => loadRulesFile(work, text));
        out.result(counts, `Rules: ${counts.created} created, ${counts.updated} changed, ${counts.unchanged} as they were.`);
        for (const { name, unit } of await rulesWithoutUnit(db.pool))
          out.note(`"${name}" gives nothing yet: no unit has the code ${unit}.`);
      }),
    );
}
