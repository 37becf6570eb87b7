import type { Command } from "commander";
import { listOauthClients } from "../auth/oauth-clients.ts";
import type { Shell } from "./shell.ts";

export function clientList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("all clients of the token endpoint")
    .action(() =>
      shell.run(async ({ ctx, db, out }) => {
        out.table(await listOauthClients(db.pool, { now: ctx.now() }), {
          columns: [
            { title: "NAME", value: (row) => row.name },
            { title: "CLIENT ID", value: (row) => row.clientId },
            { title: "CONNECTION", value: (row) => row.connection },
            { title: "STATE", value: (row) => row.state },
            { title: "EXPIRES", value: (row) => row.expiresAt },
            { title: "LAST USED", value: (row) => row.lastUsedAt },
          ],
          empty: "There is no client yet: rollcall client create --name NAME --connection NAME",
        });
      }),
    );
}
