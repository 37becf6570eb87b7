import type { Command } from "commander";
import { listCustomAttributes } from "../directory/custom-attributes.ts";
import type { Shell } from "./shell.ts";

export function attributeList(parent: Command, shell: Shell): void {
  parent
    .command("list")
    .description("the organisation's own attributes")
    .action(() =>
      shell.run(async ({ db, out }) => {
        out.table(await listCustomAttributes(db.pool), {
          columns: [
            { title: "KEY", value: (attribute) => attribute.key },
            { title: "TYPE", value: ({ type, multiple }) => (multiple ? `${type} list` : type) },
            { title: "REQUIRED", value: (attribute) => attribute.required },
            { title: "CHOICES", value: ({ choices }) => choices?.join(", ") ?? "" },
            { title: "SEEN BY", value: (attribute) => attribute.visibleTo },
            { title: "DESCRIPTION", value: (attribute) => attribute.description },
          ],
          empty: "There are none: rollcall attribute add KEY --type string makes one.",
        });
      }),
    );
}
