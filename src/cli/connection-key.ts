import type { Command } from "commander";
import { samlConnection } from "../auth/saml/connection.ts";
import { ensureOwnKeys, prepareNextKey, useNextKey } from "../auth/saml/own-keys.ts";
import { findConnection } from "../connections/open.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import type { Shell } from "./shell.ts";

const SAYS = {
  current: "in use",
  next: "published, not yet in use",
  replaced: "replaced, still opens what comes late",
} as const;

/** Our key pairs at a SAML identity provider, and their roll-over in two steps. */
export function connectionKey(parent: Command, shell: Shell): void {
  parent
    .command("key")
    .description("our keys at a SAML identity provider; --prepare publishes the next one, --use lets it take over")
    .argument("<name>", "the connection")
    .option("--prepare", "make the next key and publish it in our metadata, beside the one in use")
    .option("--use", "sign with the next key from now on")
    .action((name: string, { prepare = false, use = false }: { prepare?: boolean; use?: boolean }) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const { connector } = await findConnection(db.pool, name);
        if (connector !== "saml")
          throw new AppError(
            "invalid",
            `The connection ${name} has no keys: it is of the connector ${connector}, and only saml signs with some.`,
            {
              field: "connection",
            },
          );
        const connection = await samlConnection(db.pool, { keyRing, name });
        const keys = await inTransaction(db, ctx, async (work) => {
          if (prepare) await prepareNextKey(work, { connection, keyRing });
          if (use) await useNextKey(work, { connection });
          return ensureOwnKeys(work, { connection, keyRing });
        });
        const shown = keys.map(({ id, state, certificate }) => ({ id, state, certificate }));
        out.result(
          shown,
          shown.map(({ id, state, certificate }) => `${id}  ${SAYS[state]}\n${certificate}`),
        );
      }),
    );
}
