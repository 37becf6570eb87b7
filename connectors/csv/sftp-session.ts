import { createHash } from "node:crypto";
import { connect as connectSocket, type Socket } from "node:net";
import ssh2, { type FileEntryWithStats, type SFTPWrapper, type Stats } from "ssh2";
import { Fault, type Network } from "../contract.ts";
import { guardedLookup, refuseLiteral } from "../kit/guard.ts";
import type { SftpSettings } from "./config.ts";
import { answerFault, connectFault, type Spoken } from "./sftp-faults.ts";

export interface SessionOptions {
  settings: SftpSettings;
  network: Network | undefined;
  signal: AbortSignal;
  /** Told which key the server shows, before it is judged. */
  onHostKey?: (fingerprint: string) => void;
}

/** One SSH connection with its SFTP channel. Every call throws a Fault; after one that is `transient` the session is `over`. */
export interface SftpSession {
  /** Makes one request and waits for its answer; `path` is what a message names. */
  ask<T>(path: string, request: (sftp: SFTPWrapper, answer: Answer<T>) => void): Promise<T>;
  readonly over: boolean;
  close(): void;
}

export type Answer<T> = (error: Error | undefined | null, result: T) => void;
export type { FileEntryWithStats, Stats };

/** Connects, proves the server by its key, and signs in. */
export async function openSession({ settings, network = { allow: [] }, signal, onHostKey }: SessionOptions): Promise<SftpSession> {
  const { host, port, user, password, privateKey, passphrase, hostKey, timeoutSeconds } = settings;
  const spoken: Spoken = { host, port, user, pinned: hostKey, shown: undefined };
  const timeoutMs = timeoutSeconds * 1000;
  signal.throwIfAborted();
  const client = new ssh2.Client();
  let over = false;
  let broken: Fault | undefined;
  /** Rejects whatever waits for an answer that can't come any more. */
  const waiting = new Set<(fault: Fault) => void>();
  const end = (fault: Fault) => {
    over = true;
    broken ??= fault;
    for (const reject of waiting) reject(broken);
    waiting.clear();
    client.destroy();
  };
  const stop = () => end(new Fault("transient", `Speaking to ${host} was stopped.`, { cause: signal.reason }));
  signal.addEventListener("abort", stop, { once: true });
  const close = () => {
    signal.removeEventListener("abort", stop);
    over = true;
    client.end();
  };

  function within<T>(start: (resolve: (value: T) => void, reject: (fault: Fault) => void) => void, doing: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (broken) return reject(broken);
      const timer = setTimeout(
        () => end(new Fault("transient", `${host} did not answer within ${timeoutSeconds} seconds (${doing}).`)),
        timeoutMs,
      );
      const settled = () => {
        clearTimeout(timer);
        waiting.delete(refuse);
      };
      const refuse = (fault: Fault) => {
        settled();
        reject(fault);
      };
      waiting.add(refuse);
      try {
        start((value) => {
          settled();
          resolve(value);
        }, refuse);
      } catch (error) {
        // ssh2 throws at once what it finds wrong with a key.
        settled();
        reject(error);
      }
    });
  }

  client.on("error", (error) => end(connectFault(error, spoken)));
  client.on("close", () => end(new Fault("transient", `${host} ended the connection.`)));
  let socket: Socket | undefined;
  try {
    const opened = (socket = openSocket({ host, port, network }));
    await within<void>((resolve) => {
      client.once("ready", resolve);
      opened.once("error", (error) => end(connectFault(error, spoken)));
      client.connect({
        sock: opened,
        username: user,
        ...(password === undefined ? {} : { password }),
        ...(privateKey === undefined ? {} : { privateKey }),
        ...(passphrase === undefined ? {} : { passphrase }),
        readyTimeout: timeoutMs,
        hostVerifier: (key: Buffer) => {
          spoken.shown = fingerprintOf(key);
          onHostKey?.(spoken.shown);
          return sameFingerprint(spoken.shown, hostKey);
        },
      });
    }, "connecting");
    const sftp = await within<SFTPWrapper>(
      (resolve, reject) =>
        client.sftp((error, channel) => {
          if (error)
            reject(new Fault("denied", `${host} opens no SFTP for ${user}. Is SFTP switched on there for this account?`, { cause: error }));
          else resolve(channel);
        }),
      "opening SFTP",
    );
    return {
      get over() {
        return over;
      },
      close,
      ask: (path, request) =>
        within((resolve, reject) => {
          request(sftp, (error, result) => {
            if (error) reject(answerFault(error, { host, user, path }));
            else resolve(result);
          });
        }, path),
    };
  } catch (error) {
    close();
    client.destroy();
    socket?.destroy();
    throw error instanceof Fault ? error : connectFault(error, spoken);
  }
}

/** Only to addresses that may be reached: by name the resolver sees to it, by number nobody is asked. */
function openSocket({ host, port, network }: { host: string; port: number; network: Network }): Socket {
  refuseLiteral(host, network);
  return connectSocket({ host, port, lookup: guardedLookup(network) });
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

function sameFingerprint(shown: string, pinned: string): boolean {
  return shown === pinned.replace(/=+$/, "");
}
