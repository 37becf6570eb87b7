import { Command, CommanderError } from "commander";
import { accountLink } from "./account-link.ts";
import { accountList } from "./account-list.ts";
import { administratorAdd } from "./administrator-add.ts";
import { attributeAdd } from "./attribute-add.ts";
import { attributeList } from "./attribute-list.ts";
import { attributeRemove } from "./attribute-remove.ts";
import { auditExport } from "./audit-export.ts";
import { auditTail } from "./audit-tail.ts";
import { clientCreate } from "./client-create.ts";
import { clientList } from "./client-list.ts";
import { clientRevoke } from "./client-revoke.ts";
import { connectionAdd } from "./connection-add.ts";
import { connectionCheck } from "./connection-check.ts";
import { connectionHooks } from "./connection-hooks.ts";
import { connectionKey } from "./connection-key.ts";
import { connectionList } from "./connection-list.ts";
import { connectionQuirks } from "./connection-quirks.ts";
import { connectionRemove } from "./connection-remove.ts";
import { connectionReplay } from "./connection-replay.ts";
import { connectionResume } from "./connection-resume.ts";
import { connectionShow } from "./connection-show.ts";
import { connectionSync } from "./connection-sync.ts";
import { connectionUpload } from "./connection-upload.ts";
import { deliveryList } from "./delivery-list.ts";
import { deliveryRetry } from "./delivery-retry.ts";
import { EXIT, type ExitCode } from "./exit.ts";
import { incidentClose } from "./incident-close.ts";
import { incidentList } from "./incident-list.ts";
import { incidentShow } from "./incident-show.ts";
import { keyRotate } from "./key-rotate.ts";
import { migrateCommand } from "./migrate.ts";
import { noticePreview } from "./notice-preview.ts";
import { noticeTest } from "./notice-test.ts";
import type { Terminal } from "./output.ts";
import { personExpire } from "./person-expire.ts";
import { personInvite } from "./person-invite.ts";
import { personRenew } from "./person-renew.ts";
import { personResetFactors } from "./person-reset-factors.ts";
import { personResetPassword } from "./person-reset-password.ts";
import { personSessions } from "./person-sessions.ts";
import { personShow } from "./person-show.ts";
import { personSignOut } from "./person-sign-out.ts";
import { personSteps } from "./person-steps.ts";
import { planApprove } from "./plan-approve.ts";
import { planList } from "./plan-list.ts";
import { planReject } from "./plan-reject.ts";
import { planShow } from "./plan-show.ts";
import { roleCompare } from "./role-compare.ts";
import { roleList } from "./role-list.ts";
import { ruleList } from "./rule-list.ts";
import { ruleLoad } from "./rule-load.ts";
import { createShell, type Shell } from "./shell.ts";
import { startCommand, type StartServer } from "./start.ts";
import { tokenCreate } from "./token-create.ts";
import { tokenList } from "./token-list.ts";
import { tokenRevoke } from "./token-revoke.ts";
import { tokenRotate } from "./token-rotate.ts";

export interface CommandLine {
  /** Without node and the script. */
  arguments: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  terminal: Terminal;
  version: string;
  startServer: StartServer;
}

const GROUPS: readonly { name: string; description: string; commands: readonly ((parent: Command, shell: Shell) => void)[] }[] = [
  { name: "token", description: "API tokens", commands: [tokenCreate, tokenList, tokenRotate, tokenRevoke] },
  { name: "client", description: "SCIM clients that fetch tokens at /oauth/token", commands: [clientCreate, clientList, clientRevoke] },
  {
    name: "connection",
    description: "systems that people come from and go to",
    commands: [
      connectionAdd,
      connectionList,
      connectionShow,
      connectionQuirks,
      connectionHooks,
      connectionCheck,
      connectionSync,
      connectionUpload,
      connectionReplay,
      connectionResume,
      connectionKey,
      connectionRemove,
    ],
  },
  { name: "plan", description: "what runs decided", commands: [planList, planShow, planApprove, planReject] },
  { name: "account", description: "what the systems hold, and whose it is", commands: [accountList, accountLink] },
  { name: "delivery", description: "what has to reach the targets yet", commands: [deliveryList, deliveryRetry] },
  {
    name: "incident",
    description: "patterns that look like somebody trying to get in",
    commands: [incidentList, incidentShow, incidentClose],
  },
  { name: "administrator", description: "who may steer everything", commands: [administratorAdd] },
  {
    name: "person",
    description: "people",
    commands: [
      personShow,
      personExpire,
      personRenew,
      personInvite,
      personResetPassword,
      personResetFactors,
      personSessions,
      personSignOut,
      personSteps,
    ],
  },
  {
    name: "attribute",
    description: "the organisation's own attributes of people",
    commands: [attributeAdd, attributeList, attributeRemove],
  },
  { name: "rule", description: "who gets which role on which unit", commands: [ruleLoad, ruleList] },
  { name: "role", description: "roles and their permissions", commands: [roleList, roleCompare] },
  { name: "notice", description: "messages to people", commands: [noticePreview, noticeTest] },
  { name: "audit", description: "the trail of every change and decision", commands: [auditTail, auditExport] },
  { name: "key", description: "the master key", commands: [keyRotate] },
];

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
  startCommand(program, shell, line.startServer);
  migrateCommand(program, shell);
  for (const { name, description, commands } of GROUPS) {
    const group = program.command(name).description(description);
    for (const add of commands) add(group, shell);
  }

  try {
    await program.parseAsync([...line.arguments], { from: "user" });
    return exitCode;
  } catch (error) {
    // Usage errors were printed by the parser; asking for help or the version is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.input;
    throw error;
  }
}
