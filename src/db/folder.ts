import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The project's own folder (where package.json and prisma/ stand), from sources and from the build alike. */
export function projectFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, "prisma/schema.prisma"))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error("prisma/schema.prisma was not found above " + fileURLToPath(import.meta.url));
    folder = parent;
  }
  return folder;
}
