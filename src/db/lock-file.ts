import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../errors.ts";
import { processLives } from "./process-lives.ts";

const TIMEOUT_MS = 60_000;

/** A lock between processes on one machine; one left by a dead process is taken over. Throws `busy` after a minute. */
export async function lockFile(file: string): Promise<() => void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!take(file)) {
    const holder = holderOf(file);
    if (holder && !processLives(holder.pid, holder)) rmSync(file, { force: true });
    else if (Date.now() > deadline)
      throw new AppError("busy", `Another process (${holder?.pid ?? "just gone"}) has held ${file} for a minute.`);
    else await sleep(20);
  }
  return () => rmSync(file, { force: true });
}

/** It comes into being with its holder's id in it: whoever dies in the middle leaves no lock that is nobody's. */
function take(file: string): boolean {
  const own = `${file}.${randomUUID()}`;
  writeFileSync(own, String(process.pid), { flag: "wx", mode: 0o600 });
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function holderOf(file: string): { pid: number; since: number } | undefined {
  try {
    return { pid: Number(readFileSync(file, "utf8")), since: statSync(file).mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  }
}
