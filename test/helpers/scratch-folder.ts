import { chmodSync, mkdtempSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** Where the run keeps its databases: in memory where there is plenty (run-folder.mjs). What lies there goes with the run. */
export const scratchRoot = (): string => process.env["ROLLCALL_TEST_FOLDER"] ?? os.tmpdir();

/** A new folder for a data folder of a test's own, which PostgreSQL may enter as a user of its own. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(path.join(scratchRoot(), `rollcall-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}
