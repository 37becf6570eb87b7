import type { Command } from "commander";
import { findConnection } from "../connections/open.ts";
import { listQuirks, quirkSentence } from "../connections/quirks.ts";
import { moment } from "./output.ts";
import type { Shell } from "./shell.ts";

export function connectionQuirks(parent: Command, shell: Shell): void {
  parent
    .command("quirks")
    .description("where a SCIM client departs from the RFCs, and how often")
    .argument("<name>", "the connection")
    .action((name: string) =>
      shell.run(async ({ db, out }) => {
        const { id } = await findConnection(db.pool, name);
        const quirks = (await listQuirks(db.pool, { connectionId: id })).map((line) => ({ ...line, says: quirkSentence(line) }));
        out.result(
          quirks,
          quirks.length === 0
            ? `Nothing that departs from the RFCs was seen of ${name}.`
            : quirks.map(({ says, lastSeen }) => `${says}, last ${moment(lastSeen)}`),
        );
      }),
    );
}
