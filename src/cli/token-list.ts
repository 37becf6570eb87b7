import type { Command } from "commander";
import { listTokens } from "../auth/token-list.ts";
import type { Shell } from "./shell.ts";

export function tokenList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("all tokens: whose they are, when they were last used, when they end")
    .action(() =>
      shell.run(async ({ ctx, db, out }) => {
        out.table(await listTokens(db.pool, { now: ctx.now() }), {
          columns: [
            { title: "NAME", value: (row) => row.name },
            { title: "SCOPE", value: (row) => row.scope },
            { title: "CONNECTION", value: (row) => row.connection },
            { title: "PREFIX", value: (row) => row.prefix },
            { title: "STATE", value: (row) => row.state },
            { title: "EXPIRES", value: (row) => row.expiresAt },
            { title: "LAST USED", value: (row) => row.lastUsedAt },
            { title: "ID", value: (row) => row.id },
          ],
          empty: "There is no token yet: rollcall token create --name NAME --scope scim",
        });
      }),
    );
}
