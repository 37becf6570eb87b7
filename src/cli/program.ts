import { Command, CommanderError } from "commander";
import { auditTail } from "./audit-tail.ts";
import { connectionAdd } from "./connection-add.ts";
import { connectionList } from "./connection-list.ts";
import { connectionRemove } from "./connection-remove.ts";
import { connectionResume } from "./connection-resume.ts";
import { connectionSync } from "./connection-sync.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { keyRotate } from "./key-rotate.ts";
import { migrateCommand } from "./migrate.ts";
import type { Terminal } from "./output.ts";
import { createShell } from "./shell.ts";
import { startCommand, type StartServer } from "./start.ts";
import { tokenCreate } from "./token-create.ts";

export interface CommandLine {
  /** Without node and the script. */
  arguments: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  terminal: Terminal;
  version: string;
  startServer: StartServer;
}

/** Carries out one command line and says the exit code. */
export async function runCommandLine(line: CommandLine): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const { terminal } = line;
  const program = new Command("rollcall")
    .description("Directory sync and SCIM 2.0 provisioning")
    .version(line.version)
    .option("--json", "answer as JSON")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: terminal.write, writeErr: terminal.writeError })
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  const shell = createShell({
    environment: line.environment,
    terminal,
    json: () => program.opts<{ json?: boolean }>().json ?? false,
    setExitCode: (code) => {
      exitCode = code;
    },
  });
  const group = (name: string, description: string) => program.command(name).description(description);

  startCommand(program, shell, line.startServer);
  migrateCommand(program, shell);
  tokenCreate(group("token", "API tokens"), shell);
  for (const add of [connectionAdd, connectionList, connectionSync, connectionResume, connectionRemove]) add(groupOnce(program, "connection", "systems that people come from and go to"), shell);
  auditTail(group("audit", "the trail of every change and decision"), shell);
  keyRotate(group("key", "the master key"), shell);

  try {
    await program.parseAsync([...line.arguments], { from: "user" });
    return exitCode;
  } catch (error) {
    // Usage errors were printed by the parser; asking for help or the version is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.input;
    throw error;
  }
}

function groupOnce(program: Command, name: string, description: string): Command {
  return program.commands.find((command) => command.name() === name) ?? program.command(name).description(description);
}
