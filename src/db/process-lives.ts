import { readFileSync } from "node:fs";

/** Of the kernel's clock, in which Linux tells when a process started; the same on every platform of today (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
/** Boot time is told in whole seconds. */
const ROUNDING_MS = 2000;

/**
 * Whether the process that had this id at an instant still lives. In a container, which begins to count anew at each start, another one
 * soon has it. Where the system doesn't tell when a process started (outside of Linux), its id must do.
 * @param since milliseconds since 1970, of a file that the process wrote; without it, whoever has the id now
 */
export function processLives(pid: number, { since = Infinity }: { since?: number } = {}): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || !isThere(pid)) return false;
  const started = startedAt(pid);
  return started === undefined || started <= since + ROUNDING_MS;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** proc(5): /proc/stat says when the system was booted, field 22 of /proc/PID/stat how long after that the process started. */
function startedAt(pid: number): number | undefined {
  const boot = /^btime (\d+)$/m.exec(textOf("/proc/stat") ?? "")?.[1];
  // The name of its program comes before, in parentheses, and may hold anything.
  const ticks = textOf(`/proc/${pid}/stat`)?.split(")").at(-1)?.trim().split(" ")[19];
  if (boot === undefined || ticks === undefined) return undefined;
  return Number(boot) * 1000 + (Number(ticks) / TICKS_PER_SECOND) * 1000;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
