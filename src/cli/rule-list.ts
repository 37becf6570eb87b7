import type { Command } from "commander";
import { listRules, type RuleSummary } from "../access/rules.ts";
import { moment } from "./output.ts";
import type { Shell } from "./shell.ts";

export function ruleList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("which group or condition gives which role on which unit")
    .action(() =>
      shell.run(async ({ ctx, db, out }) => {
        const rules = await listRules(db.pool, { at: ctx.now() });
        out.table(rules, {
          columns: [
            { title: "NAME", value: (rule) => rule.name },
            { title: "WHO", value: (rule) => (rule.group === null ? `when ${rule.condition}` : `group ${rule.group}`) },
            { title: "ROLE", value: (rule) => rule.role },
            { title: "UNIT", value: (rule) => rule.unit },
            { title: "UNTIL", value: untilOf },
            { title: "ON", value: (rule) => rule.enabled },
            { title: "GRANTS", value: (rule) => rule.grants, align: "right" },
          ],
          empty: "There are no rules yet. Write them in a YAML file and run: rollcall rule load FILE",
        });
        for (const { name, problem } of rules)
          if (problem !== null)
            out.note(`"${name}" gives nothing new, and keeps what it gave, until its condition is written anew: ${problem}`);
      }),
    );
}

function untilOf({ expiresAt, expiresAfterSeconds }: RuleSummary): string {
  const after = expiresAfterSeconds === null ? [] : [`${Math.round(expiresAfterSeconds / 8640) / 10} days after it began`];
  return [...(expiresAt === null ? [] : [moment(expiresAt)]), ...after].join(", or ") || "no end";
}
