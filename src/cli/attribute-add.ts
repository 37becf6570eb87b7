import { Option, type Command } from "commander";
import { inTransaction } from "../db/database.ts";
import { addCustomAttribute, CUSTOM_ATTRIBUTE_TYPES } from "../directory/custom-attributes.ts";
import type { Shell } from "./shell.ts";

interface Options {
  type: string;
  description?: string;
  required?: boolean;
  multiple?: boolean;
  choices?: string[];
  visibleTo?: string;
  editableBy?: string;
}

export function attributeAdd(parent: Command, shell: Shell): void {
  parent
    .command("add")
    .description("give people an attribute of the organisation's own; SCIM clients may use it from their next request on")
    .argument("<key>", "its name, such as badgeNumber")
    .addOption(new Option("--type <type>", "what its values are").choices([...CUSTOM_ATTRIBUTE_TYPES]).makeOptionMandatory())
    .option("--description <text>", "what it is, for whoever maps it")
    .option("--required", "refuse people without it")
    .option("--multiple", "a list of values")
    .option("--choices <values...>", "the values of a choice")
    .addOption(new Option("--visible-to <who>", "who sees it beside administrators").choices(["admin", "self", "everyone"]))
    .addOption(new Option("--editable-by <who>", "who changes it beside administrators").choices(["admin", "self"]))
    .action((key: string, options: Options) =>
      shell.run(async ({ ctx, db, out }) => {
        const added = await inTransaction(db, ctx, (work) => addCustomAttribute(work, { key, ...options }));
        out.result(added, `Added ${added.key}; SCIM clients find it in /Schemas, mappings name it custom.${added.key}.`);
      }),
    );
}
