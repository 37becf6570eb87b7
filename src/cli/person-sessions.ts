import type { Command } from "commander";
import { listSessions } from "../auth/sessions/list.ts";
import { findPerson } from "../directory/people.ts";
import type { Shell } from "./shell.ts";

export function personSessions(parent: Command, shell: Shell): void {
  parent
    .command("sessions")
    .description("where somebody is signed in; `person sign-out` ends it")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .action((key: string) =>
      shell.run(async ({ ctx, db, config, out }) => {
        const { id: personId, userName } = await findPerson(db.pool, key);
        const sessions = await listSessions(db.pool, { personId, now: ctx.now(), settings: config.signIn.session });
        out.table(sessions, {
          columns: [
            { title: "ID", value: (session) => session.id },
            { title: "SINCE", value: (session) => session.createdAt },
            { title: "LAST SEEN", value: (session) => session.lastSeenAt },
            {
              title: "BY",
              value: (session) => [...session.methods, ...(session.connection === null ? [] : [session.connection])].join(" "),
            },
            { title: "ADDRESS", value: (session) => session.address ?? "" },
            { title: "BROWSER", value: (session) => session.userAgent ?? "" },
          ],
          empty: `${userName} is signed in nowhere.`,
        });
      }),
    );
}
