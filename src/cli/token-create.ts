import { Option, type Command } from "commander";
import { OWN_PERMISSIONS } from "../access/own-permissions.ts";
import { createToken, type TokenScope } from "../auth/tokens.ts";
import { findConnection } from "../connections/open.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { findUnit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { nameOnALine } from "./arguments.ts";
import { momentFrom } from "./period.ts";
import type { Shell } from "./shell.ts";

interface Options {
  name: string;
  scope: TokenScope;
  connection?: string;
  expires?: string;
  person?: string;
  permission?: string[];
  unit?: string[];
}

export function tokenCreate(parent: Command, shell: Shell): void {
  parent
    .command("create")
    .description("make an API token; prints only the token, which is never shown again")
    .requiredOption("--name <name>", "by which it is found and revoked", nameOnALine)
    .addOption(new Option("--scope <scope>", "what it opens").choices(["scim", "api", "feed"]).makeOptionMandatory())
    .option(
      "--connection <name>",
      "the connection that the SCIM client writes through (the built-in one when absent), or that files are handed in for",
    )
    .option(
      "--person <key>",
      "scope api and scim: whose token it is, by login name, e-mail address or id, so that it ends with their access; a service's when absent",
    )
    .option("--permission <key...>", "scope api: the permissions to which it is narrowed; all that there are when absent")
    .option("--unit <code...>", "scope api: the units, with all below them, to which it is narrowed")
    .option("--expires <when>", "a period (90d, 12h) or a date (2027-01-31); never when absent")
    .action((options: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const expiresAt = options.expires === undefined ? undefined : momentFrom(options.expires, { option: "--expires", now: ctx.now() });
        refuseStray(options);
        const { id, token, personId } = await inTransaction(db, ctx, async (work) => {
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
          const person = options.person === undefined ? undefined : await findPerson(work.sql, options.person);
          const unitIds: string[] = [];
          for (const key of options.unit ?? []) unitIds.push((await findUnit(work.sql, key)).id);
          const made = await createToken(work, {
            name: options.name,
            scope: options.scope,
            connectionId: connection?.id,
            expiresAt,
            personId: person?.id,
            permissions: options.permission,
            unitIds: options.unit === undefined ? undefined : unitIds,
          });
          return { ...made, personId: person?.id ?? null };
        });
        out.result({ id, token, name: options.name, scope: options.scope, personId, expires: expiresAt?.toISOString() ?? null }, token);
      }),
    );
}

/** What narrows a token is for the administration API; what names a connection, for the others. Files are handed in by nobody in particular. */
function refuseStray({ scope, connection, person, permission, unit }: Options): void {
  const others = { api: { connection }, scim: { permission, unit }, feed: { person, permission, unit } }[scope];
  const stray = Object.entries(others).find(([, value]) => value !== undefined);
  if (stray) throw new AppError("invalid", `--${stray[0]}: a token of scope ${scope} has none.`, { field: `--${stray[0]}` });
  const known: readonly string[] = OWN_PERMISSIONS;
  const unknown = permission?.find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new AppError(
      "invalid",
      `--permission: there is no permission ${unknown} that guards the API; \`rollcall role compare\` lists them.`,
      {
        field: "--permission",
      },
    );
}
