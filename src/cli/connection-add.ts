import path from "node:path";
import type { Command } from "commander";
import { parseDocument } from "yaml";
import { addConnection } from "../connections/store.ts";
import { inTransaction } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { readText } from "./read-text.ts";
import type { Shell } from "./shell.ts";

export function connectionAdd(parent: Command, shell: Shell): void {
  parent
    .command("add")
    .description("add a connection from a YAML file (- reads standard input)")
    .argument("<file>", "the definition; secrets may be given as { env: NAME } or { file: PATH }")
    .option("--replace", "change the connection of that name when there is one")
    .action((file: string, { replace = false }: { replace?: boolean }) =>
      shell.run(async ({ ctx, db, keyRing, out }) => {
        const definition = readYaml(file);
        const sources = { environment: shell.environment, folder: file === "-" ? "." : path.dirname(path.resolve(file)) };
        const added = await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing, replace, sources }));
        const next = `Next: rollcall connection check ${added.name}`;
        if (added.created) out.result(added, [`Added the connection ${added.name}.`, next]);
        else
          out.result(
            added,
            added.changed.length === 0 ? `${added.name} is already so.` : [`Changed ${added.name}: ${added.changed.join(", ")}.`, next],
          );
      }),
    );
}

/** Reads a YAML file. Throws `invalid` with file, line and column, or when there is nothing in it that could be a definition. */
function readYaml(file: string): unknown {
  const name = file === "-" ? "Standard input" : file;
  const text = readText(file);
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      field: `line ${error.linePos?.[0].line ?? 1}, column ${error.linePos?.[0].col ?? 1}`,
      message: error.message.split("\n")[0] ?? error.code,
    }));
    throw new AppError("invalid", `${name} is not YAML.`, { problems });
  }
  const content: unknown = document.toJS();
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new AppError("invalid", `${name} holds no connection: it must have name:, connector: and settings: at its top.`, {
      field: "file",
    });
  return content;
}
