import type { Command } from "commander";
import { inTransaction } from "../db/database.ts";
import { linkAccount } from "../sync/accounts.ts";
import { idNumber } from "./arguments.ts";
import type { Shell } from "./shell.ts";

export function accountLink(parent: Command, shell: Shell): void {
  parent
    .command("link")
    .description("settle whose account this is; the choice survives later runs")
    .argument("<account>", "its id from `account list`")
    .argument("<person>", "the person's id; `new` makes a person of this account")
    .action((account: string, person: string) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const accountId = idNumber(account, "account");
        const { personId } = await inTransaction(db, ctx, (work) => linkAccount(work, { keyRing, accountId, person }));
        out.result({ account: accountId, person: personId }, `Account ${accountId} is linked to ${personId}.`);
      }),
    );
}
