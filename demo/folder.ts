import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { startEmbeddedPostgres } from "../src/db/embedded.ts";

const CLAIM = "demo.pid";

/**
 * Empties the demo's own folder of what an earlier demo left, and claims it. Answers how to give it up; the data stay.
 * Throws when a demo runs on it.
 */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const claim = path.join(folder, CLAIM);
  const holder = existsSync(claim) ? Number(readFileSync(claim, "utf8")) : 0;
  if (holder > 0 && holder !== process.pid && lives(holder)) {
    throw new Error(
      `A demo runs on ${folder} already (process ${holder}). Stop it with Ctrl-C there, or give this one another folder: ROLLCALL_DATA=/elsewhere npm run demo`,
    );
  }
  // One that was killed could not stop its PostgreSQL.
  if (existsSync(path.join(folder, "postgres", "postmaster.pid"))) (await startEmbeddedPostgres({ folder })).stop();
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // PostgreSQL runs as a user of its own when we are root.
  await chmod(folder, 0o755);
  await writeFile(claim, String(process.pid));
  return () => rm(claim, { force: true });
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
