import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** What a measured step reports beside its own result. */
export interface Measured<R> {
  result: R;
  /** Milliseconds, without the start of the process. */
  ms: number;
  /** Milliseconds of processor time in it, user and system: what others do on the machine changes it little. */
  cpuMs: number;
  /** Most memory that the process held at once, in bytes. */
  peakBytes: number;
}

type Answer<R> = { ok: true; measured: Measured<R> } | { ok: false; message: string };

/** Runs one step in a Node process of its own, so that its peak memory is its own, too. `job` travels as a message, not as an argument. */
export function inChild<R>({ step, job }: { step: string; job: unknown }): Promise<Measured<R>> {
  const sibling = fileURLToPath(new URL(`./step${path.extname(import.meta.url)}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = fork(sibling, [step], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const endWithUs = () => void child.kill("SIGKILL");
    // Before the database that it works with is stopped.
    process.prependOnceListener("exit", endWithUs);
    let answered = false;
    child.once("error", reject);
    child.once("message", (answer: Answer<R>) => {
      answered = true;
      if (answer.ok) resolve(answer.measured);
      else reject(new Error(`The step "${step}" failed: ${answer.message}`));
    });
    child.once("exit", (code, signal) => {
      process.removeListener("exit", endWithUs);
      if (!answered) reject(new Error(`The step "${step}" ended without an answer (${signal ?? `exit code ${code}`}).`));
    });
    child.send(job as object);
  });
}

/** The child's side: takes the job, times it, answers, and ends. */
export function answerParent<J, R>(work: (job: J) => Promise<R>): void {
  process.once("message", (job: J) => {
    measureHere(() => work(job)).then(
      (measured) => send({ ok: true, measured }),
      (error: unknown) => send({ ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
}

/** Measures a piece of work in this process. */
export async function measureHere<R>(work: () => Promise<R>): Promise<Measured<R>> {
  const started = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: performance.now() - started, cpuMs: (user + system) / 1000, peakBytes: peakBytes() };
}

function send(answer: Answer<unknown>): void {
  process.send?.(answer, () => process.disconnect());
}

/** Linux counts the parent's pages into a child's maxRSS; VmHWM is the process's own. */
function peakBytes(): number {
  if (process.platform === "linux") {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (match) return Number(match[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}
