import type { Command } from "commander";
import type { Config } from "../config.ts";
import type { ExitCode } from "./exit.ts";
import type { Output } from "./output.ts";
import type { Shell } from "./shell.ts";

/** Serves until it is told to stop; wired in main.ts. */
export type StartServer = (options: { config: Config; out: Output }) => Promise<ExitCode>;

export function startCommand(program: Command, shell: Shell, startServer: StartServer): void {
  program
    .command("start")
    .description("serve SCIM and work off jobs, until SIGTERM or Ctrl-C")
    .action(() => shell.runBare(startServer));
}
