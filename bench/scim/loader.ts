import { fork } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./load.ts";
import type { Timed } from "./measure.ts";

/** The load generator's process, from the parent's side. */
export interface Loader {
  /** Carries out one order; throws with what a server answered wrongly. */
  order(order: Order): Promise<{ timed: Timed[]; offered: boolean }>;
  stop(): void;
}

export function startLoader(): Loader {
  const file = fileURLToPath(new URL(`./load${path.extname(import.meta.url)}`, import.meta.url));
  const child = fork(file, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const stop = () => void child.kill("SIGKILL");
  process.prependOnceListener("exit", stop);
  return {
    order: (order) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error("The load generator ended in the middle of an order."));
        child.once("exit", onExit);
        child.once("message", (report: Report) => {
          child.removeListener("exit", onExit);
          if (report.kind === "done") resolve(report);
          else reject(new Error(report.message));
        });
        child.send(order);
      }),
    stop() {
      process.removeListener("exit", stop);
      stop();
    },
  };
}
