import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../errors.ts";

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

/** Makes the data folder where there is none. Throws `misconfigured` where it can't be made, or nothing can be written into it. */
export function makeDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code = "unknown" } = cause as NodeJS.ErrnoException;
    throw new AppError(
      "misconfigured",
      `The data folder ${folder} can't be made, or not be written to (${code}). Set ROLLCALL_DATA to a folder that the user who runs Rollcall owns.`,
      { field: "ROLLCALL_DATA", cause },
    );
  }
}
