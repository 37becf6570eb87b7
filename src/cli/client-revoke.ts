import type { Command } from "commander";
import { revokeOauthClient } from "../auth/oauth-clients.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function clientRevoke(parent: Command, shell: Shell): void {
  parent
    .command("revoke")
    .description("end a client and every token that it holds, at once")
    .argument("<client>", "its id or name")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((key: string, { reason }: { reason: string }) =>
      shell.run(async ({ ctx, db, out }) => {
        const { clientId, tokens } = await inTransaction(db, ctx, (work) => revokeOauthClient(work, { key, reason }));
        out.result({ clientId, tokens, revoked: true }, `Revoked ${clientId} and ${tokens} tokens that it held.`);
      }),
    );
}
