import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { Fault, type CheckResult, type Network } from "../contract.ts";
import { namelessFile } from "../kit/nameless-file.ts";
import type { SftpSettings } from "./config.ts";
import { tooLarge } from "./local.ts";
import { fits, newestOf } from "./newest.ts";
import type { Place } from "./place.ts";
import { openSession, type FileEntryWithStats, type SftpSession, type Stats } from "./sftp-session.ts";

export interface SftpPlaceOptions {
  settings: SftpSettings;
  maxBytes: number;
  network: Network | undefined;
  signal: AbortSignal;
}

/** What every server must give in one answer (draft-ietf-secsh-filexfer-02 section 6.4). */
const CHUNK = 32 * 1024;
const AT_ONCE = 16;

/** A file at another machine. It is fetched whole before a line of it is read. */
export function sftpPlace({ settings, maxBytes, network, signal }: SftpPlaceOptions): Place {
  const { host, match } = settings;
  let shown: string | undefined;
  let session: SftpSession | undefined;

  async function spoken(): Promise<SftpSession> {
    if (session && !session.over) return session;
    return (session = await openSession({ settings, network, signal, onHostKey: (fingerprint) => (shown = fingerprint) }));
  }

  async function find(): Promise<{ file: string; stats: Stats }> {
    const { ask } = await spoken();
    let file = settings.path;
    if (match !== undefined) {
      const entries = await ask<FileEntryWithStats[]>(settings.path, (sftp, answer) => sftp.readdir(settings.path, answer));
      const newest = newestOf(
        entries
          .filter(({ filename, attrs }) => !filename.includes("/") && attrs.isFile() && fits(filename, match))
          .map(({ filename, attrs }) => ({ name: filename, changedAt: attrs.mtime, size: attrs.size })),
      );
      if (!newest) throw new Fault("transient", `${host} has no file in ${settings.path} that fits ${match} yet.`);
      file = path.posix.join(settings.path, newest.name);
    }
    const stats = await ask<Stats>(file, (sftp, answer) => sftp.stat(file, answer));
    if (!stats.isFile())
      throw new Fault("misconfigured", `${file} at ${host} is not a file. Set \`sftp.match\` to take the newest of a folder.`);
    return { file, stats };
  }

  return {
    async look() {
      const { file, stats } = await find();
      return versionOf(file, stats);
    },
    async take() {
      const { file, stats } = await find();
      const name = `${file} at ${host}`;
      if (stats.size > maxBytes) throw tooLarge(name, { size: stats.size, maxBytes });
      const handle = await namelessFile();
      try {
        await download(await spoken(), { file, name, size: stats.size, to: handle });
        const after = await find();
        if (versionOf(after.file, after.stats) !== versionOf(file, stats))
          throw new Fault(
            "transient",
            `${name} was replaced or written to while it was fetched. Write the file beside it and rename it into place.`,
          );
        return {
          name,
          handle,
          size: stats.size,
          changedAt: new Date(stats.mtime * 1000),
          version: versionOf(file, stats),
          untouched: async () => true,
        };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    findings: () => (shown === undefined ? [] : [hostKeyFinding(settings, shown)]),
    close: async () => session?.close(),
  };
}

function hostKeyFinding({ host, hostKey }: SftpSettings, shown: string): CheckResult {
  const ok = shown === hostKey.replace(/=+$/, "");
  return {
    name: "host key",
    ok,
    message: ok ? `${host} shows the key ${shown}, as it should.` : `${host} shows the key ${shown}; \`hostKey\` is ${hostKey}.`,
  };
}

function versionOf(file: string, { size, mtime }: Stats): string {
  return [file, size, mtime].join("\n");
}

/** Exactly as many bytes as the file had when it was looked at; fewer are a file that was cut short. */
async function download(
  { ask }: SftpSession,
  { file, name, size, to }: { file: string; name: string; size: number; to: FileHandle },
): Promise<void> {
  const remote = await ask<Buffer>(file, (sftp, answer) => sftp.open(file, "r", answer));
  const fetchChunk = async (from: number) => {
    const until = Math.min(from + CHUNK, size);
    for (let at = from; at < until;) {
      const buffer = Buffer.allocUnsafe(until - at);
      const read = await ask<number>(file, (sftp, answer) => sftp.read(remote, buffer, 0, buffer.length, at, answer));
      if (read === 0)
        throw new Fault("transient", `${name} became shorter while it was fetched. Write the file beside it and rename it into place.`);
      await to.write(buffer, 0, read, at);
      at += read;
    }
  };
  for (let from = 0; from < size; from += CHUNK * AT_ONCE) {
    const starts = Array.from({ length: AT_ONCE }, (_, index) => from + index * CHUNK).filter((start) => start < size);
    await Promise.all(starts.map(fetchChunk));
  }
  await ask<void>(file, (sftp, answer) => sftp.close(remote, (error) => answer(error, undefined)));
}
