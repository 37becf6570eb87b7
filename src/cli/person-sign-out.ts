import type { Command } from "commander";
import { endSessions } from "../auth/sessions/end.ts";
import { inTransaction } from "../db/database.ts";
import { tellPerson } from "../directory/notices.ts";
import { findPerson } from "../directory/people.ts";
import type { Shell } from "./shell.ts";

export function personSignOut(parent: Command, shell: Shell): void {
  parent
    .command("sign-out")
    .description("end all sessions of a person, who is told; they may sign in again")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .requiredOption("--reason <text>", "why; it stands in the trail")
    .action((key: string, { reason }: { reason: string }) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const { person, ended } = await inTransaction(db, ctx, async (work) => {
          const found = await findPerson(work.sql, key);
          const { count } = await endSessions(work, { personId: found.id, reason });
          if (count > 0) await tellPerson(work, { keyRing, personId: found.id, notice: "sessions.ended" });
          return { person: found, ended: count };
        });
        out.result({ id: person.id, ended }, `${person.userName} (${person.id}): ${ended} ${ended === 1 ? "session" : "sessions"} ended.`);
      }),
    );
}
