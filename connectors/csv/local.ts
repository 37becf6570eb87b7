import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Fault } from "../contract.ts";
import type { FolderSettings } from "./config.ts";
import { fits, newestOf, type Candidate } from "./newest.ts";
import type { Place, Snapshot } from "./place.ts";

interface Limit {
  maxBytes: number;
}

/** One file under a fixed name. */
export function localFile({ file, maxBytes }: Limit & { file: string }): Place {
  return {
    look: async () => versionOf(file, await statOf(file)),
    take: () => hold(file, { maxBytes }),
    close: async () => undefined,
  };
}

/** The newest file of a folder, once nobody writes to it any more. */
export function newestIn(options: FolderSettings & Limit & { signal: AbortSignal; now: () => Date }): Place {
  const { path: folder, match, settleSeconds, maxBytes, signal, now } = options;
  const find = async () => {
    const newest = newestOf(await filesIn(folder, match));
    if (newest) return newest;
    throw new Fault("transient", `${folder} has no file that fits ${match} yet. Is \`folder\` where the feed is dropped?`);
  };
  return {
    async look() {
      const file = path.join(folder, (await find()).name);
      return versionOf(file, await statOf(file));
    },
    async take() {
      const newest = await find();
      const quietFor = now().getTime() - newest.changedAt;
      // A clock that differs from the file's own would make the file look older than it is, or not yet written.
      if (quietFor < settleSeconds * 1000) await wait(settleSeconds * 1000, undefined, { signal });
      const after = await find();
      if (after.name !== newest.name || after.size !== newest.size || after.changedAt !== newest.changedAt)
        throw new Fault("transient", `${path.join(folder, after.name)} is being written. It is taken once it stays as it is.`);
      return hold(path.join(folder, after.name), { maxBytes });
    },
    close: async () => undefined,
  };
}

async function filesIn(folder: string, pattern: string): Promise<Candidate[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw placeFault(folder, error);
  });
  const candidates: Candidate[] = [];
  for (const name of names.filter((each) => fits(each, pattern))) {
    // A link would lead out of the folder. Who was there a moment ago may have been cleared away.
    const found = await lstat(path.join(folder, name)).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return undefined;
      throw placeFault(folder, error);
    });
    if (found?.isFile()) candidates.push({ name, changedAt: found.mtimeMs, size: found.size });
  }
  return candidates;
}

async function hold(file: string, { maxBytes }: Limit): Promise<Snapshot> {
  await statOf(file);
  // Without O_NONBLOCK a pipe that took the file's place would keep us waiting for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw placeFault(file, error);
  });
  try {
    const before = await handle.stat();
    if (!before.isFile()) throw notAFile(file);
    if (before.size > maxBytes) throw tooLarge(file, { size: before.size, maxBytes });
    return {
      name: file,
      handle,
      changedAt: before.mtime,
      size: before.size,
      version: versionOf(file, before),
      async untouched() {
        const after = await handle.stat();
        return after.mtimeMs === before.mtimeMs && after.size === before.size;
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function tooLarge(file: string, { size, maxBytes }: { size: number; maxBytes: number }): Fault {
  return new Fault("rejected", `${file} has ${size} bytes, more than \`maxBytes\` allows (${maxBytes}).`);
}

function notAFile(file: string): Fault {
  return new Fault("misconfigured", `${file} is not a file. Set \`file\` to the CSV file itself.`);
}

async function statOf(file: string): Promise<Stats> {
  const found = await stat(file).catch((error: unknown) => {
    throw placeFault(file, error);
  });
  if (!found.isFile()) throw notAFile(file);
  return found;
}

function versionOf(file: string, { ino, mtimeMs, size }: Stats): string {
  return [file, ino, mtimeMs, size].join("\n");
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function placeFault(place: string, error: unknown): Fault {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new Fault("misconfigured", `There is no file ${place}. Set the connection to where the feed is written.`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    return new Fault("denied", `${place} may not be read. Give the user that Rollcall runs as the right to read it.`, { cause: error });
  return new Fault("transient", `${place} can't be opened (${code ?? "unknown"}).`, { cause: error });
}
