import type { Command } from "commander";
import { handOutLink } from "../auth/links/hand-out.ts";
import { setTemporaryPassword } from "../auth/passwords/set.ts";
import { baseUrlOf } from "../config.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { AppError } from "../errors.ts";
import { moment } from "./output.ts";
import type { Shell } from "./shell.ts";

interface Options {
  show?: true;
  temporary?: true;
  reason?: string;
}

export function personResetPassword(parent: Command, shell: Shell): void {
  parent
    .command("reset-password")
    .description("send somebody a link to choose another password, or show it; or make a password that must be changed at once")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .option("--show", "show the link instead of sending it, to be handed over; it works once")
    .option("--temporary", "make a temporary password and show it; sessions end")
    .option("--reason <text>", "why, for --temporary; it stands in the trail")
    .action((key: string, options: Options) =>
      shell.run(async ({ ctx, db, keyRing, config, out }) => {
        const { show, temporary, reason } = options;
        if (show && temporary) throw new AppError("invalid", "--show and --temporary: one of them.", { field: "--temporary" });
        const settings = config.signIn;
        const done = await inTransaction(db, ctx, async (work) => {
          const { id: personId, userName } = await findPerson(work.sql, key);
          const made = temporary
            ? {
                link: null,
                ...(await setTemporaryPassword(work, { personId, keyRing, settings: settings.password, ...(reason && { reason }) })),
              }
            : {
                password: null,
                ...(await handOutLink(work, {
                  personId,
                  purpose: "reset",
                  delivery: show ? "show" : "send",
                  keyRing,
                  settings,
                  baseUrl: baseUrlOf(config),
                })),
              };
          return { personId, userName, ...made };
        });
        const { personId, userName, link, password, until } = done;
        const shown = link ?? password;
        out.result(
          { id: personId, until: until.toISOString(), link, password },
          shown === null
            ? `A link to choose another password is on its way to ${userName}; it works until ${moment(until)}.`
            : `Hand this over to ${userName}; it works until ${moment(until)}, to choose another password:\n${shown}`,
        );
      }),
    );
}
