import { isIPv4 } from "node:net";
import { FilterParser } from "ldapts";
import { z } from "zod";

const dn = z.string().min(1).max(4000);
const attributeName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9.-]*(;[a-zA-Z0-9-]+)*$|^\d+(\.\d+)+$/, "must be the name of an attribute");
const seconds = z.number().gt(0).max(3600);

const filter = z.string().superRefine((value, context) => {
  try {
    FilterParser.parseString(value);
  } catch (error) {
    context.addIssue({
      code: "custom",
      message: `is not an LDAP filter (RFC 4515): ${error instanceof Error ? error.message : String(error)}`,
    });
  }
});

/** Where entries of one kind are, and what is asked of them. */
function entries(defaults: { filter: string; attributes: string[] }) {
  return z.strictObject({
    base: dn,
    filter: filter.default(defaults.filter),
    /** `sub`: the base and all below it; `one`: directly below it only. */
    scope: z.enum(["sub", "one"]).default("sub"),
    /** Attributes to ask for: nothing else is read. */
    attributes: z.array(attributeName).min(1).default(defaults.attributes),
  });
}

/** What settings are when nobody gives them: those of OpenLDAP and its like. Active Directory has its own. */
export const DEFAULTS = {
  users: {
    filter: "(objectClass=inetOrgPerson)",
    attributes: [
      "uid",
      "cn",
      "sn",
      "givenName",
      "displayName",
      "mail",
      "employeeNumber",
      "departmentNumber",
      "title",
      "telephoneNumber",
      "mobile",
      "preferredLanguage",
      "manager",
    ],
  },
  groups: {
    filter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
    attributes: ["cn", "description"],
  },
  units: { filter: "(objectClass=organizationalUnit)", attributes: ["ou", "description"] },
  memberAttributes: ["member", "uniqueMember", "memberUid"],
  nativeIdAttribute: "entryUUID",
  changedAttribute: "modifyTimestamp",
};

/** How an account is disabled, and enabled again. */
const disable = z.union([
  /** The bit ACCOUNTDISABLE of userAccountControl (Active Directory). */
  z.strictObject({ kind: z.literal("userAccountControl") }),
  /** pwdAccountLockedTime of a password policy (OpenLDAP's ppolicy). */
  z.strictObject({ kind: z.literal("ppolicy") }),
  z.strictObject({
    kind: z.literal("attribute").default("attribute"),
    attribute: attributeName,
    disabledValue: z.string().min(1),
    /** Absent = the attribute is taken away. */
    enabledValue: z.string().min(1).optional(),
  }),
]);

export const ldapSettings = z
  .strictObject({
    /**
     * Whose directory it is. `auto` asks the root entry. In Active Directory what is left at its default (filters, attributes,
     * nativeIdAttribute, changedAttribute, memberAttributes, disable) becomes what is usual there.
     */
    flavour: z.enum(["auto", "standard", "activeDirectory"]).default("auto"),
    /** How changes are found in Active Directory: `auto` = DirSync where the directory lets this account, else update sequence numbers. */
    changes: z.enum(["auto", "dirSync", "uSNChanged"]).default("auto"),
    /** ldaps://host[:port], or ldap://host[:port] with startTls. */
    url: z.string().superRefine((value, context) => {
      const url = parseUrl(value);
      if (url === undefined) context.addIssue({ code: "custom", message: "must be ldaps://host[:port] or ldap://host[:port]" });
    }),
    startTls: z.boolean().default(false),
    /** The directory's certificate authority, PEM. Absent = those that Node.js trusts. */
    ca: z.string().includes("-----BEGIN CERTIFICATE-----", { message: "must be a certificate in PEM" }).optional(),
    /** The same, as a file. */
    caFile: z.string().min(1).optional(),
    /** Lets the password travel unencrypted to another host. */
    allowPlaintext: z.boolean().default(false),
    bindDn: dn.optional(),
    bindPassword: z.string().min(1).optional(),

    users: entries(DEFAULTS.users).optional(),
    groups: entries(DEFAULTS.groups).optional(),
    units: entries(DEFAULTS.units).optional(),

    /** Attributes delivered as lists; of every other the first value is delivered, as a string. */
    multiValued: z.array(attributeName).default([]),
    /** Attributes whose values are names of entries: normalised, so that they can be compared. */
    dnAttributes: z.array(attributeName).default(["manager", "secretary", "seeAlso"]),
    memberAttributes: z.array(attributeName).min(1).default(DEFAULTS.memberAttributes),
    /** The users' attribute that memberUid names. */
    memberUidAttribute: attributeName.default("uid"),
    /** Never changes and is never given to another entry. */
    nativeIdAttribute: attributeName.default(DEFAULTS.nativeIdAttribute),
    changedAttribute: attributeName.default(DEFAULTS.changedAttribute),
    /** What a reference to another server within a base means: `refuse` = the read is not complete. */
    referrals: z.enum(["refuse", "ignore"]).default("refuse"),

    /** Entries a page; at most what the directory allows this account. */
    pageSize: z.number().int().min(1).max(10_000).default(500),
    /** Groups are large. */
    groupPageSize: z.number().int().min(1).max(10_000).default(50),
    timeouts: z.strictObject({ connectSeconds: seconds.default(10), answerSeconds: seconds.default(60) }).prefault({}),

    disable: disable.optional(),
  })
  .superRefine((settings, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const url = parseUrl(settings.url);
    if (url?.secure && settings.startTls) issue("startTls", "is for ldap://; ldaps:// has TLS from the first byte");
    if (settings.ca !== undefined && settings.caFile !== undefined) issue("caFile", "give either ca or caFile");
    if ((settings.bindDn === undefined) !== (settings.bindPassword === undefined))
      issue("bindPassword", "bindDn and bindPassword belong together");
    if (url && !url.secure && !settings.startTls && !settings.allowPlaintext && !isLoopback(url.host)) {
      issue("url", "would send the password unencrypted: use ldaps://, or startTls: true; allowPlaintext: true if that is meant");
    }
    if (settings.users === undefined && settings.groups === undefined && settings.units === undefined)
      issue("users", "give at least one of users, groups and units");
  });

export type LdapSettings = z.output<typeof ldapSettings>;
export type EntriesSettings = NonNullable<LdapSettings["users"]>;

export interface LdapAddress {
  secure: boolean;
  host: string;
  port: number;
}

/** Undefined when it is no LDAP URL of a server alone. */
export function parseUrl(value: string): LdapAddress | undefined {
  const match = /^(ldaps?):\/\/(\[[0-9a-f:.]+\]|[^\s/:?#@]+)(?::(\d{1,5}))?\/?$/i.exec(value);
  if (match === null) return undefined;
  const secure = match[1]?.toLowerCase() === "ldaps";
  const port = match[3] === undefined ? (secure ? 636 : 389) : Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return { secure, host: (match[2] ?? "").replace(/^\[|\]$/g, ""), port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
