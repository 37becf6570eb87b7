import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createToken } from "../../../src/auth/tokens.ts";
import { createContext } from "../../../src/context.ts";
import { inTransaction, openDatabase } from "../../../src/db/database.ts";
import { projectFolder } from "../../../src/db/folder.ts";
import { createLog } from "../../../src/log.ts";
import type { Running } from "./peer.ts";

export interface OurOptions {
  databaseUrl: string;
  key: Buffer;
  /** Its log, at the level of production, goes here. */
  logFile: string;
}

const READY_WITHIN_MS = 60_000;

/** Rollcall as `npm start` runs it, on a free port: all doors, jobs too. */
export async function startOurs({ databaseUrl, key, logFile }: OurOptions): Promise<Running> {
  const token = await makeToken(databaseUrl);
  const log = openSync(logFile, "w", 0o600);
  const child = spawn(process.execPath, [path.join(projectFolder(), "dist/src/main.js"), "start"], {
    env: { ...process.env, HOST: "127.0.0.1", PORT: "0", DATABASE_URL: databaseUrl, ROLLCALL_KEY: key.toString("hex"), LOG_LEVEL: "info" },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const stopAtOnce = () => void child.kill("SIGKILL");
  process.prependOnceListener("exit", stopAtOnce);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    process.removeListener("exit", stopAtOnce);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  };
  for (const deadline = Date.now() + READY_WITHIN_MS; ;) {
    const port = portIn(logFile);
    if (port !== undefined)
      return { address: { host: "127.0.0.1", port, base: "/scim/v2", token }, peakBytes: () => peakBytesOf(child.pid ?? 0), stop };
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`Rollcall did not start. Its log ends with:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
    }
    await sleep(20);
  }
}

async function makeToken(databaseUrl: string): Promise<string> {
  const db = openDatabase({ url: databaseUrl, poolSize: 1 });
  try {
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
    return (await inTransaction(db, ctx, (work) => createToken(work, { name: "bench", scope: "scim" }))).token;
  } finally {
    await db.close();
  }
}

/** From the line that it logs once it serves. */
function portIn(logFile: string): number | undefined {
  const ready = /"url":"http:\/\/[^"]*:(\d+)"[^\n]*"msg":"ready"/.exec(readFileSync(logFile, "utf8"));
  return ready ? Number(ready[1]) : undefined;
}

/** VmHWM: what Linux calls the peak of resident memory. */
function peakBytesOf(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match ? Number(match[1]) * 1024 : undefined;
}
