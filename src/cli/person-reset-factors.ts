import type { Command } from "commander";
import { resetFactors } from "../auth/factors/factors.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import type { Shell } from "./shell.ts";

export function personResetFactors(parent: Command, shell: Shell): void {
  parent
    .command("reset-factors")
    .description("take all second factors and recovery codes of a person away, who has lost them; the person is told")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((key: string, { reason }: { reason: string }) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const { person, factors } = await inTransaction(db, ctx, async (work) => {
          const found = await findPerson(work.sql, key);
          return { person: found, ...(await resetFactors(work, { keyRing, personId: found.id, reason })) };
        });
        out.result(
          { id: person.id, factors },
          `${person.userName} (${person.id}) has no second factor any more; ${factors} ${factors === 1 ? "was" : "were"} taken away.`,
        );
      }),
    );
}
