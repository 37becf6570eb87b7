import { Command, CommanderError } from "commander";
import { COMMAND_GROUPS, loadCommands } from "./command-groups.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { migrateCommand } from "./migrate.ts";
import { AppError } from "../errors.ts";
import { errorDocument, type Terminal } from "./output.ts";
import { createShell } from "./shell.ts";
import { startCommand, type StartServer } from "./start.ts";

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
  const json = line.arguments.includes("--json");
  let usage = "";
  const program = new Command("rollcall")
    .description("Directory sync and SCIM 2.0 provisioning")
    .version(line.version)
    .option("--json", "answer as JSON")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: terminal.write, writeErr: (text) => (json ? void (usage += text) : terminal.writeError(text)) })
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
  startCommand(program, shell, line.startServer);
  migrateCommand(program, shell);
  for (const each of COMMAND_GROUPS) {
    const group = program.command(each.name).description(each.description);
    if (!line.arguments.includes(each.name)) continue;
    for (const add of await loadCommands(each, line.arguments)) add(group, shell);
  }

  try {
    await program.parseAsync([...line.arguments], { from: "user" });
    return exitCode;
  } catch (error) {
    // Usage errors were printed by the parser; asking for help or the version is no error.
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (json) terminal.writeError(isHelp(error) ? usage : `${JSON.stringify(usageDocument(error))}\n`);
    return EXIT.input;
  }
}

/** A group without a command of it: what is said then is the group's help. */
function isHelp({ code }: CommanderError): boolean {
  return code === "commander.help";
}

function usageDocument({ message }: CommanderError): object {
  return errorDocument(new AppError("invalid", message.replace(/^error: /, "")));
}
