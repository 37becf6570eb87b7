import type { Command } from "commander";
import type { Shell } from "./shell.ts";

/** Adds one command to its group. */
type AddCommand = (group: Command, shell: Shell) => void;

export interface CommandGroup {
  name: string;
  description: string;
  /** By their words, in the order in which help lists them. Each is loaded with all that it works with, which takes a while. */
  commands: Readonly<Record<string, () => Promise<AddCommand>>>;
}

/** `rollcall GROUP COMMAND`. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    name: "token",
    description: "API tokens",
    commands: {
      create: async () => (await import("./token-create.ts")).tokenCreate,
      list: async () => (await import("./token-list.ts")).tokenList,
      rotate: async () => (await import("./token-rotate.ts")).tokenRotate,
      revoke: async () => (await import("./token-revoke.ts")).tokenRevoke,
    },
  },
  {
    name: "client",
    description: "SCIM clients that fetch tokens at /oauth/token",
    commands: {
      create: async () => (await import("./client-create.ts")).clientCreate,
      list: async () => (await import("./client-list.ts")).clientList,
      revoke: async () => (await import("./client-revoke.ts")).clientRevoke,
    },
  },
  {
    name: "connection",
    description: "systems that people come from and go to",
    commands: {
      add: async () => (await import("./connection-add.ts")).connectionAdd,
      list: async () => (await import("./connection-list.ts")).connectionList,
      show: async () => (await import("./connection-show.ts")).connectionShow,
      quirks: async () => (await import("./connection-quirks.ts")).connectionQuirks,
      hooks: async () => (await import("./connection-hooks.ts")).connectionHooks,
      check: async () => (await import("./connection-check.ts")).connectionCheck,
      sync: async () => (await import("./connection-sync.ts")).connectionSync,
      upload: async () => (await import("./connection-upload.ts")).connectionUpload,
      replay: async () => (await import("./connection-replay.ts")).connectionReplay,
      resume: async () => (await import("./connection-resume.ts")).connectionResume,
      key: async () => (await import("./connection-key.ts")).connectionKey,
      remove: async () => (await import("./connection-remove.ts")).connectionRemove,
    },
  },
  {
    name: "plan",
    description: "what runs decided",
    commands: {
      list: async () => (await import("./plan-list.ts")).planList,
      show: async () => (await import("./plan-show.ts")).planShow,
      approve: async () => (await import("./plan-approve.ts")).planApprove,
      reject: async () => (await import("./plan-reject.ts")).planReject,
    },
  },
  {
    name: "account",
    description: "what the systems hold, and whose it is",
    commands: {
      list: async () => (await import("./account-list.ts")).accountList,
      link: async () => (await import("./account-link.ts")).accountLink,
    },
  },
  {
    name: "delivery",
    description: "what has to reach the targets yet",
    commands: {
      list: async () => (await import("./delivery-list.ts")).deliveryList,
      retry: async () => (await import("./delivery-retry.ts")).deliveryRetry,
    },
  },
  {
    name: "incident",
    description: "patterns that look like somebody trying to get in",
    commands: {
      list: async () => (await import("./incident-list.ts")).incidentList,
      show: async () => (await import("./incident-show.ts")).incidentShow,
      close: async () => (await import("./incident-close.ts")).incidentClose,
    },
  },
  {
    name: "administrator",
    description: "who may steer everything",
    commands: {
      add: async () => (await import("./administrator-add.ts")).administratorAdd,
    },
  },
  {
    name: "person",
    description: "people",
    commands: {
      show: async () => (await import("./person-show.ts")).personShow,
      expire: async () => (await import("./person-expire.ts")).personExpire,
      renew: async () => (await import("./person-renew.ts")).personRenew,
      invite: async () => (await import("./person-invite.ts")).personInvite,
      "reset-password": async () => (await import("./person-reset-password.ts")).personResetPassword,
      "reset-factors": async () => (await import("./person-reset-factors.ts")).personResetFactors,
      sessions: async () => (await import("./person-sessions.ts")).personSessions,
      "sign-out": async () => (await import("./person-sign-out.ts")).personSignOut,
      steps: async () => (await import("./person-steps.ts")).personSteps,
    },
  },
  {
    name: "attribute",
    description: "the organisation's own attributes of people",
    commands: {
      add: async () => (await import("./attribute-add.ts")).attributeAdd,
      list: async () => (await import("./attribute-list.ts")).attributeList,
      remove: async () => (await import("./attribute-remove.ts")).attributeRemove,
    },
  },
  {
    name: "rule",
    description: "who gets which role on which unit",
    commands: {
      load: async () => (await import("./rule-load.ts")).ruleLoad,
      list: async () => (await import("./rule-list.ts")).ruleList,
    },
  },
  {
    name: "role",
    description: "roles and their permissions",
    commands: {
      list: async () => (await import("./role-list.ts")).roleList,
      compare: async () => (await import("./role-compare.ts")).roleCompare,
    },
  },
  {
    name: "notice",
    description: "messages to people",
    commands: {
      preview: async () => (await import("./notice-preview.ts")).noticePreview,
      test: async () => (await import("./notice-test.ts")).noticeTest,
    },
  },
  {
    name: "audit",
    description: "the trail of every change and decision",
    commands: {
      tail: async () => (await import("./audit-tail.ts")).auditTail,
      export: async () => (await import("./audit-export.ts")).auditExport,
    },
  },
  {
    name: "key",
    description: "the master key",
    commands: {
      rotate: async () => (await import("./key-rotate.ts")).keyRotate,
    },
  },
];

/** What a command line may be about: the commands that it names, or else all of the group, for help to list. */
export function loadCommands({ commands }: CommandGroup, line: readonly string[]): Promise<AddCommand[]> {
  const words = Object.keys(commands);
  const named = words.filter((word) => line.includes(word));
  return Promise.all((named.length > 0 ? named : words).flatMap((word) => commands[word]?.() ?? []));
}
