import { readFileSync } from "node:fs";
import { unreadable } from "./unreadable.ts";

/** The text of a file, or of standard input for `-`. Throws `invalid`, also for one that is not in UTF-8: its names would be others. */
export function readText(file: string): string {
  try {
    return utf8(readFileSync(file === "-" ? 0 : file));
  } catch (error) {
    throw unreadable(file, error);
  }
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error("it is not text in UTF-8", { cause });
  }
}
