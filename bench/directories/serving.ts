import { fork } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { ServeAnswer, Served, ServeJob, ServeRequest } from "./serve.ts";

/** A system in a process of its own. */
export interface Serving extends Served {
  /** Changes so many people; what was answered from memory is forgotten. */
  change(count: number): Promise<void>;
  /** Requests since the last time that somebody asked. */
  takeCount(): Promise<number>;
  stop(): Promise<void>;
}

/** A hundred thousand people as objects, and all their pages as text. */
const HEAP_MEGABYTES = 6144;

export async function startServing(job: ServeJob): Promise<Serving> {
  const file = fileURLToPath(new URL(`./serve${path.extname(import.meta.url)}`, import.meta.url));
  const child = fork(file, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [`--max-old-space-size=${HEAP_MEGABYTES}`] });
  /** One question at a time. */
  const ask = (message: ServeJob | ServeRequest): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`The process that serves ${job.kind} has ended.`));
      child.once("exit", ended);
      child.once("message", (answer: ServeAnswer) => {
        child.removeListener("exit", ended);
        if (answer.ok) resolve(answer.value);
        else reject(new Error(`Serving ${job.kind} failed: ${answer.message}`));
      });
      child.send(message);
    });
  // Where this process ends before it says so, the other one does, too: nobody is left to ask it.
  const leave = () => void (child.connected && child.disconnect());
  try {
    const served = (await ask(job)) as Served;
    return {
      ...served,
      change: async (count) => void (await ask({ do: "change", count })),
      takeCount: async () => Number(await ask({ do: "take count" })),
      stop: async () => {
        await ask({ do: "stop" });
        leave();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}
