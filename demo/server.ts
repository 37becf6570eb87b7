import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { projectFolder } from "../src/db/folder.ts";
import { freePort, isFree } from "../src/db/free-port.ts";

/** Rollcall's own server, as `npm start` runs it: a process of its own. */
export interface RunningServer {
  url: string;
  /** Asks it to drain, and waits until it has ended. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Its environment: data folder, log level and the like. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Where it listens when that is free; 0 = anywhere. */
  port: number;
  logFile: string;
}

const READY_WITHIN_MS = 180_000;

export async function startServer({ environment, port: wanted, logFile }: ServerOptions): Promise<RunningServer> {
  const port = wanted > 0 && (await isFree(wanted)) ? wanted : await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(process.execPath, [path.join(projectFolder(), "bin/rollcall.mjs"), "start"], {
    env: { ...environment, HOST: "127.0.0.1", PORT: String(port) },
    stdio: ["ignore", log, log],
    // Ctrl-C is ours to pass on: its second signal would end the server at once instead of letting it drain.
    detached: true,
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const endWithUs = () => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const stop = async () => {
    process.removeListener("exit", endWithUs);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  };
  for (const deadline = Date.now() + READY_WITHIN_MS; ;) {
    if (child.exitCode !== null) throw new Error(`The server ended at once. Its log, ${logFile}, ends with:\n${lastLines(logFile)}`);
    if (await isReady(url)) return { url, stop };
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`The server was not ready within three minutes. Its log, ${logFile}, ends with:\n${lastLines(logFile)}`);
    }
    await sleep(50);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

function lastLines(file: string): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-12).join("\n");
}
