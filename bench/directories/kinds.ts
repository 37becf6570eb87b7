/** Kinds of directories that are measured here; LDAP has a benchmark of its own, against a real slapd. */
export const KINDS = ["entra", "okta", "google", "csv"] as const;
export type KindName = (typeof KINDS)[number];

export const TITLES: Readonly<Record<KindName, string>> = {
  entra: "Microsoft Entra ID",
  okta: "Okta",
  google: "Google Workspace",
  csv: "CSV feed",
};
