import path from "node:path";
import type { Command } from "commander";
import { parseDocument, type Document } from "yaml";
import { addConnection } from "../connections/store.ts";
import { inTransaction } from "../db/database.ts";
import { AppError, messageOf } from "../errors.ts";
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
    // What follows one mistake mostly comes of it.
    const problems = document.errors.slice(0, 10).map((error) => ({
      field: `line ${error.linePos?.[0].line ?? 1}, column ${error.linePos?.[0].col ?? 1}`,
      message: withoutContents(error.message),
    }));
    throw new AppError("invalid", `${name} is not YAML.`, { problems });
  }
  const content = valueOf(document, name);
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new AppError("invalid", `${name} holds no connection: it must have name:, connector: and settings: at its top.`, {
      field: "file",
    });
  return content;
}

/** Aliases are looked up last. A password that begins with a star is none. */
function valueOf(document: Document, name: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const what = withoutContents(messageOf(error));
    throw new AppError("invalid", `${name} is not YAML: ${what}. A value that begins with * stands between quotation marks.`, {
      field: "file",
    });
  }
}

/** The parser repeats what it stumbled over, which may be a secret. */
function withoutContents(message: string): string {
  const [line = ""] = message.split("\n");
  return line
    .replace(/ at line \d+, column \d+:$/, "")
    .replace(/^(Not a YAML token|.* in YAML (?:stream|document)|Unresolved alias.*?\)): .*/, "$1");
}
