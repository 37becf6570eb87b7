import type { Command } from "commander";
import { tokenId } from "../auth/token-list.ts";
import { revokeToken } from "../auth/tokens.ts";
import { inTransaction } from "../db/database.ts";
import type { Shell } from "./shell.ts";

export function tokenRevoke(parent: Command, shell: Shell): void {
  parent
    .command("revoke")
    .description("end a token at once")
    .argument("<token>", "its name, readable prefix or id")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((token: string, { reason }: { reason: string }) =>
      shell.run(async ({ ctx, db, out }) => {
        const id = await inTransaction(db, ctx, async (work) => {
          const found = await tokenId(work.sql, token);
          await revokeToken(work, { id: found, reason });
          return found;
        });
        out.result({ id, revoked: true }, `Revoked ${token} (${id}): it is refused from now on.`);
      }),
    );
}
