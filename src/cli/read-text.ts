import { readFileSync } from "node:fs";
import { unreadable } from "./unreadable.ts";

/** The text of a file, or of standard input for `-`. Throws `invalid`. */
export function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
}
