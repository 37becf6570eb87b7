import type { Command } from "commander";
import { findPerson } from "../directory/people.ts";
import { inTransaction } from "../db/database.ts";
import { linkAccount } from "../sync/accounts.ts";
import { idNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

export function accountLink(parent: Command, shell: Shell): void {
  parent
    .command("link")
    .description("settle whose account this is; the choice survives later runs")
    .argument("<account>", "its id from `account list`")
    .argument("<person>", "login name, e-mail address, employee number or id; `new` makes a person of this account")
    .action((account: string, person: string) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const accountId = idNumber(account, "account");
        const { personId } = await inTransaction(db, ctx, async (work) =>
          linkAccount(work, { keyRing, accountId, person: person === "new" ? person : (await findPerson(work.sql, person)).id }),
        );
        out.result({ account: accountId, person: personId }, `Account ${accountId} is linked to ${personId}.`);
      }),
    );
}
