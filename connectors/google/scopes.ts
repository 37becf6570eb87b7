/**
 * The permissions that are asked for, each alone, so that one that was not delegated shuts out nothing else. The names are
 * those that the Admin console lists under Security > Access and data control > API controls > Domain-wide delegation.
 */
export const SCOPES = {
  readUsers: "https://www.googleapis.com/auth/admin.directory.user.readonly",
  readGroups: "https://www.googleapis.com/auth/admin.directory.group.readonly",
  readUnits: "https://www.googleapis.com/auth/admin.directory.orgunit.readonly",
  writeUsers: "https://www.googleapis.com/auth/admin.directory.user",
  signOut: "https://www.googleapis.com/auth/admin.directory.user.security",
  writeMembers: "https://www.googleapis.com/auth/admin.directory.group.member",
} as const;

export type Purpose = keyof typeof SCOPES;

export const DELEGATION = "Security > Access and data control > API controls > Domain-wide delegation";
