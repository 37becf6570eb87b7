import { Option, type Command } from "commander";
import { createToken, type TokenScope } from "../auth/tokens.ts";
import { findConnection } from "../connections/open.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

interface Options {
  name: string;
  scope: TokenScope;
  connection?: string;
  expires?: string;
}

export function tokenCreate(parent: Command, shell: Shell): void {
  parent
    .command("create")
    .description("make an API token; prints only the token, which is never shown again")
    .requiredOption("--name <name>", "by which it is found and revoked")
    .addOption(new Option("--scope <scope>", "what it opens").choices(["scim", "api", "feed"]).makeOptionMandatory())
    .option(
      "--connection <name>",
      "the connection that the SCIM client writes through (the built-in one when absent), or that files are handed in for",
    )
    .option("--expires <when>", "a period (90d, 12h) or a date (2027-01-31); never when absent")
    .action((options: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const expiresAt = options.expires === undefined ? undefined : momentFrom(options.expires, { option: "--expires", now: ctx.now() });
        const { id, token } = await inTransaction(db, ctx, async (work) => {
          const connection = options.connection === undefined ? undefined : await findConnection(work.sql, options.connection);
          if (options.scope === "feed" && !connection)
            throw new AppError("invalid", "--scope feed: name the connection that the files are for (--connection).", {
              field: "--connection",
            });
          if (connection && options.scope !== "feed" && connection.connector !== "scim-inbound") {
            throw new AppError(
              "invalid",
              `--connection: "${connection.name}" is read by the connector ${connection.connector}; a SCIM client writes through a connection of scim-inbound.`,
              { field: "--connection" },
            );
          }
          return createToken(work, { name: options.name, scope: options.scope, connectionId: connection?.id, expiresAt });
        });
        out.result({ id, token, name: options.name, scope: options.scope, expires: expiresAt?.toISOString() ?? null }, token);
      }),
    );
}
