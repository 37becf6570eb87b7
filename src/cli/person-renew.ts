import type { Command } from "commander";
import { evaluateConditionRules } from "../access/condition-rules.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { setPersonExpiry } from "../directory/person-expiry.ts";
import { moment } from "./output.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

export function personRenew(parent: Command, shell: Shell): void {
  parent
    .command("renew")
    .description("let a person's access go on whose end was set, or is reached; other reasons for being out stay")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .option("--until <when>", "a period (90d, 12h) or a date (2027-01-31, in UTC); without end when absent")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((key: string, options: { until?: string; reason: string }) =>
      shell.run(async ({ ctx, db, out }) => {
        const until = options.until === undefined ? null : momentFrom(options.until, { option: "--until", now: ctx.now() });
        const person = await inTransaction(db, ctx, async (work) => {
          const found = await findPerson(work.sql, key);
          await setPersonExpiry(work, { personId: found.id, until, reason: options.reason });
          await evaluateConditionRules(work, { personIds: [found.id] });
          return findPerson(work.sql, found.id);
        });
        out.result(
          { id: person.id, until: until?.toISOString() ?? null, state: person.state },
          `Access of ${person.userName} (${person.id}) ${until ? `ends at ${moment(until)}` : "has no end"}; the person is ${person.state}.`,
        );
      }),
    );
}
