import { isObject } from "./json.ts";

/** Application permissions of Microsoft Graph, each the smallest that suffices, and what each is for. */
export const PERMISSIONS = {
  "User.Read.All": "reading users",
  "GroupMember.Read.All": "reading groups and their members",
  "AdministrativeUnit.Read.All": "reading administrative units",
  "User.EnableDisableAccount.All": "disabling and enabling accounts",
  "User.RevokeSessions.All": "signing people out",
  "GroupMember.ReadWrite.All": "taking members out of groups",
  "Group.Read.All": "being told of changes of groups",
} as const;

export type Permission = keyof typeof PERMISSIONS;

/** Larger permissions that hold a smaller one. */
const HOLD: Readonly<Record<Permission, readonly string[]>> = {
  "User.Read.All": ["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
  "GroupMember.Read.All": [
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
  ],
  "AdministrativeUnit.Read.All": ["AdministrativeUnit.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
  "User.EnableDisableAccount.All": ["User.ReadWrite.All", "Directory.ReadWrite.All"],
  "User.RevokeSessions.All": ["User.ReadWrite.All", "Directory.ReadWrite.All"],
  "GroupMember.ReadWrite.All": ["Group.ReadWrite.All", "Directory.ReadWrite.All"],
  "Group.Read.All": ["Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
};

/** @param granted the token's `roles` */
export function isGranted(permission: Permission, granted: readonly string[]): boolean {
  return granted.includes(permission) || HOLD[permission].some((larger) => granted.includes(larger));
}

/** Where the permission is given, in the words of the console. */
export function howToGrant(permission: Permission): string {
  return `Add it in the Entra admin centre: Identity > Applications > App registrations > your app > API permissions > Add a permission > Microsoft Graph > Application permissions > ${permission}, then "Grant admin consent".`;
}

/** The application permissions in a token. Its form is the sign-in service's own affair, so that nothing but sentences, and whose fault a refusal is, may depend on it. Undefined for a token that does not say. */
export function grantedBy(token: string): string[] | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    const roles = isObject(claims) ? claims["roles"] : undefined;
    return Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : isObject(claims) ? [] : undefined;
  } catch {
    // An opaque token, then.
    return undefined;
  }
}
