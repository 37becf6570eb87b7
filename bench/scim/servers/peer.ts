import { fork } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Address } from "../measure.ts";
import type { ServerJob } from "./serve.ts";

/** A server in a process of its own. */
export interface Running {
  address: Address;
  /** Most memory that its process held at once, in bytes; undefined where the system does not say. */
  peakBytes(): number | undefined;
  stop(): Promise<void>;
}

export function startPeer({
  name,
  job,
}: {
  name: "bare" | "routers";
  job: ServerJob & { kind?: "memory" | "postgres" };
}): Promise<Running> {
  const file = fileURLToPath(new URL(`./${name}-server${path.extname(import.meta.url)}`, import.meta.url));
  // A directory of 100,000 as documents, and all of them again while a filter looks at them.
  const child = fork(file, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: ["--max-old-space-size=6144"] });
  const stopAtOnce = () => void child.kill("SIGKILL");
  process.prependOnceListener("exit", stopAtOnce);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      process.removeListener("exit", stopAtOnce);
      resolve();
    });
  });
  child.send(job);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    void ended.then(() => reject(new Error(`The ${name} server ended before it listened.`)));
    child.once("message", ({ port }: { port: number }) => {
      resolve({
        address: { host: "127.0.0.1", port, base: "/scim", token: job.token },
        peakBytes: () => undefined,
        async stop() {
          stopAtOnce();
          await ended;
        },
      });
    });
  });
}
