import type { Command } from "commander";
import { createOauthClient } from "../auth/oauth-clients.ts";
import { findConnection } from "../connections/open.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { nameOnALine } from "./arguments.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

interface Options {
  name: string;
  connection: string;
  expires?: string;
}

export function clientCreate(parent: Command, shell: Shell): void {
  parent
    .command("create")
    .description("make a client that fetches tokens at /oauth/token; prints its id and secret, which is never shown again")
    .requiredOption("--name <name>", "by which it is found and revoked", nameOnALine)
    .requiredOption("--connection <name>", "the connection that the SCIM client writes through")
    .option("--expires <when>", "a period (365d) or a date (2027-01-31); never when absent")
    .action(({ name, connection: wanted, expires }: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const expiresAt = expires === undefined ? undefined : momentFrom(expires, { option: "--expires", now: ctx.now() });
        const { clientId, clientSecret } = await inTransaction(db, ctx, async (work) => {
          const connection = await findConnection(work.sql, wanted);
          if (connection.connector !== "scim-inbound")
            throw new AppError(
              "invalid",
              `--connection: "${connection.name}" is no SCIM client's (its connector is ${connection.connector}).`,
              {
                field: "--connection",
              },
            );
          return await createOauthClient(work, { name, connectionId: connection.id, expiresAt });
        });
        out.result({ clientId, clientSecret, name, expires: expiresAt?.toISOString() ?? null }, [
          `client_id      ${clientId}`,
          `client_secret  ${clientSecret}`,
        ]);
      }),
    );
}
