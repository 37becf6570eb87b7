import { readFileSync } from "node:fs";
import { AppError, messageOf } from "../errors.ts";

/** The text of a file, or of standard input for `-`. Throws `invalid`. */
export function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new AppError("invalid", `${file === "-" ? "Standard input" : file} can't be read: ${messageOf(error)}`, {
      field: "file",
      cause: error,
    });
  }
}
