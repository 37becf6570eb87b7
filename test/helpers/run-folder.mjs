import { accessSync, chmodSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const MEMORY = "/dev/shm";
/** What a run takes at its most, several times over. */
const ENOUGH_BYTES = 6 * 1024 ** 3;
const NAME = /^rollcall-test-(\d+)-/;

/**
 * A folder for the clusters of one run, in memory where there is plenty: making and dropping a database is then three times as cheap,
 * and no test waits for a disk that others keep busy.
 */
export function newRunFolder() {
  const root = hasRoom(MEMORY) ? MEMORY : os.tmpdir();
  for (const name of readdirSync(root)) removeLeftOver(path.join(root, name));
  const folder = mkdtempSync(path.join(root, `rollcall-test-${process.pid}-`));
  // PostgreSQL runs as a user of its own when we are root.
  chmodSync(folder, 0o755);
  return folder;
}

function hasRoom(folder) {
  if (process.platform !== "linux") return false;
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return Math.min(bavail * bsize, os.freemem()) > ENOUGH_BYTES;
  } catch (error) {
    if (!["ENOENT", "EACCES", "EROFS"].includes(error.code)) throw error;
    return false;
  }
}

/** What a run that was killed left behind would keep its memory for ever. */
function removeLeftOver(folder) {
  const [, run] = NAME.exec(path.basename(folder)) ?? [];
  if (run === undefined || lives(Number(run)) || statSync(folder).uid !== process.getuid?.()) return;
  const server = serverOf(folder);
  if (server !== undefined && lives(server)) process.kill(server, "SIGQUIT");
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

/** The PostgreSQL that still runs on the folder: the first line of postmaster.pid, where the system says that this is what it is. */
function serverOf(folder) {
  try {
    const pid = Number(readFileSync(path.join(folder, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder) ? pid : undefined;
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "ESRCH") throw error;
    return undefined;
  }
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}
