import type { Command } from "commander";
import { handOutLink } from "../auth/links/hand-out.ts";
import { baseUrlOf } from "../config.ts";
import { inTransaction } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { moment } from "./output.ts";
import type { Shell } from "./shell.ts";

export function personInvite(parent: Command, shell: Shell): void {
  parent
    .command("invite")
    .description("send somebody who is invited the link by which they choose a password, or show it; an earlier one works no more")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .option("--show", "show the link instead of sending it, to be handed over; it works once")
    .action((key: string, options: { show?: true }) =>
      shell.run(async ({ ctx, db, keyRing, config, out }) => {
        const { person, until, link } = await inTransaction(db, ctx, async (work) => {
          const found = await findPerson(work.sql, key);
          const handedOut = await handOutLink(work, {
            personId: found.id,
            purpose: "invitation",
            delivery: options.show ? "show" : "send",
            keyRing,
            settings: config.signIn,
            baseUrl: baseUrlOf(config),
          });
          return { person: found, ...handedOut };
        });
        out.result(
          { id: person.id, until: until.toISOString(), link },
          link === null
            ? `The invitation of ${person.userName} is on its way; it works until ${moment(until)}.`
            : `Hand this over to ${person.userName}; it works once, until ${moment(until)}:\n${link}`,
        );
      }),
    );
}
