/** Kinds of directories that are measured here; LDAP has a benchmark of its own, against a real slapd. */
export const KINDS = ["entra", "okta", "google", "csv", "active-directory"] as const;
export type KindName = (typeof KINDS)[number];

/** Those that any machine serves at any size. A domain controller wants Samba, root, and patience: it takes some minutes to fill with thousands. */
export const USUAL_KINDS: readonly KindName[] = ["entra", "okta", "google", "csv"];

export const TITLES: Readonly<Record<KindName, string>> = {
  entra: "Microsoft Entra ID",
  okta: "Okta",
  google: "Google Workspace",
  csv: "CSV feed",
  "active-directory": "Active Directory (Samba)",
};

/** The connector that reads it; a mapping is shipped under the kind's own name. */
export function connectorOf(kind: KindName): string {
  return kind === "active-directory" ? "ldap" : kind;
}
