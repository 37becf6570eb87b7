import type { Command } from "commander";
import { evaluateConditionRules } from "../access/condition-rules.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { setPersonExpiry } from "../directory/person-expiry.ts";
import { moment } from "./output.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

export function personExpire(parent: Command, shell: Shell): void {
  parent
    .command("expire")
    .description("say when a person's access ends, everywhere; `person renew` takes it back")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .requiredOption("--at <when>", "`now`, a period (90d, 12h) or a date (2027-01-31, in UTC)")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((key: string, { at, reason }: { at: string; reason: string }) =>
      shell.run(async ({ ctx, db, out }) => {
        const now = ctx.now();
        const until = at === "now" ? now : momentFrom(at, { option: "--at", now });
        const person = await inTransaction(db, ctx, async (work) => {
          const found = await findPerson(work.sql, key);
          await setPersonExpiry(work, { personId: found.id, until, reason });
          await evaluateConditionRules(work, { personIds: [found.id] });
          return found;
        });
        out.result({ id: person.id, until: until.toISOString() }, `Access of ${person.userName} (${person.id}) ends at ${moment(until)}.`);
      }),
    );
}
