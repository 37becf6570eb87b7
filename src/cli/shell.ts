import os from "node:os";
import { readConfig, type Config } from "../config.ts";
import { createContext, type Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { passingFailure } from "../db/failures.ts";
import { createLog } from "../log.ts";
import { EXIT, exitCodeOf, type ExitCode } from "./exit.ts";
import { createOutput, errorDocument, errorLines, type Output, type Terminal } from "./output.ts";
import { openStore } from "./store.ts";

/** What every command works with. */
export interface Frame {
  ctx: Context;
  config: Config;
  db: Database;
  keyRing: KeyRing;
  out: Output;
  terminal: Terminal;
  /** Migrations that opening the database applied. */
  migrated: readonly string[];
}

/** A command's work: what it returns is the exit code, 0 when nothing. */
export type Action = (frame: Frame) => Promise<ExitCode | void>;

export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  /** Opens everything, runs the command, closes everything, and tells the exit code. */
  run(action: Action): Promise<void>;
  /** For a command that needs no database, or opens its own. */
  runBare(action: (options: { config: Config; out: Output }) => Promise<ExitCode | void>): Promise<void>;
}

export interface ShellOptions {
  environment: Readonly<Record<string, string | undefined>>;
  terminal: Terminal;
  json: () => boolean;
  setExitCode: (code: ExitCode) => void;
}

export function createShell({ environment, terminal, json, setExitCode }: ShellOptions): Shell {
  const guarded = async (work: (options: { config: Config; out: Output }) => Promise<ExitCode | void>) => {
    const out = createOutput(terminal, { json: json() });
    try {
      setExitCode((await work({ config: readConfig({ environment }), out })) ?? EXIT.ok);
    } catch (thrown) {
      const error = passingFailure(thrown) ?? thrown;
      out.note(out.json ? JSON.stringify(errorDocument(error)) : errorLines(error).join("\n"));
      if (environment["LOG_LEVEL"] === "debug" && thrown instanceof Error) terminal.writeError(`${thrown.stack ?? ""}\n`);
      setExitCode(exitCodeOf(error));
    }
  };
  return {
    environment,
    terminal,
    runBare: guarded,
    run: (action) =>
      guarded(async ({ config, out }) => {
        // A command says itself what went wrong; its log is silent about that, unless asked for.
        const log = createLog({ level: environment["LOG_LEVEL"] ? config.logLevel : "error" });
        const interrupted = abortOnSignals();
        const store = await openStore(config, { log, poolSize: 5 });
        try {
          const ctx = createContext({
            actor: `cli:${os.userInfo().username}`,
            log,
            signal: interrupted.signal,
            network: config.outbound,
          });
          return await action({ ctx, config, db: store.db, keyRing: store.keyRing, out, terminal, migrated: store.migrated });
        } finally {
          interrupted.forget();
          await store.close();
        }
      }),
  };
}

/** The first Ctrl-C lets the work end at a clean place; the second ends the process at once. */
function abortOnSignals(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  return {
    signal: controller.signal,
    forget: () => {
      process.off("SIGINT", abort);
      process.off("SIGTERM", abort);
    },
  };
}
