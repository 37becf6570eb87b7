import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseDocument } from "yaml";
import { projectFolder } from "../src/db/folder.ts";

export interface DefinitionOptions {
  /** A file of demo/connections, without `.yaml`. */
  template: string;
  /** The folder that the filled-in definition goes to. */
  folder: string;
  /** Settings that are known only now: addresses, paths. */
  settings?: Readonly<Record<string, unknown>>;
  /** File name to content, mode 0600: what the definition names as `{ file: … }`. */
  secrets?: Readonly<Record<string, string>>;
}

/** Fills in a connection's definition, comments kept, and writes it with its secrets beside it. Answers its path. */
export async function writeDefinition({ template, folder, settings = {}, secrets = {} }: DefinitionOptions): Promise<string> {
  await mkdir(folder, { recursive: true });
  const document = parseDocument(readFileSync(path.join(projectFolder(), "demo/connections", `${template}.yaml`), "utf8"));
  for (const [name, value] of Object.entries(settings)) document.setIn(["settings", name], value);
  for (const [name, value] of Object.entries(secrets)) await writeFile(path.join(folder, name), `${value}\n`, { mode: 0o600 });
  const file = path.join(folder, `${template}.yaml`);
  await writeFile(file, document.toString({ lineWidth: 0 }));
  return file;
}
