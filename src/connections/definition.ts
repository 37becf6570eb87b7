import { z } from "zod";

const name = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and dashes, beginning with a letter");
const expression = z.string().min(1).max(4000);
const share = z.number().gt(0).max(1);
const days = z.number().min(0).max(3650);

/** One mapped attribute: an expression, with its own precedence where it differs from the connection's. */
const mappedAttribute = z.union([expression, z.strictObject({ value: expression, precedence: z.number().int().optional() })]);

const kindMapping = z.strictObject({
  /** CEL, boolean: accounts outside the scope are not taken in, and leave when they were. */
  scope: expression.optional(),
  /** Attribute key to CEL over `account` (`userName: account.uid`; `emails.work: account.mail` fills one element). */
  attributes: z.record(z.string(), mappedAttribute),
});

/** How dates of employment are read where they say no more than a day. */
const employment = z.strictObject({
  /** Access is ready so many days before the start, from midnight on. */
  readyDaysBefore: z.number().int().min(0).max(365).default(0),
  /** When access ends on the last day, local time; 24:00 is the end of that day. */
  endsAt: z
    .string()
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "must be a time of day from 00:00 to 24:00")
    .default("24:00"),
  /** IANA name, for people of whom no zone is known. */
  timeZone: z.string().default("UTC"),
});

/** From an account's attributes to a person's, group's and unit's. */
export const mappingSchema = z.strictObject({
  user: kindMapping.optional(),
  group: kindMapping.optional(),
  unit: kindMapping.optional(),
  employment: employment.optional(),
  /** Person attributes by which an account finds its person, each in turn: userName, emails, employeeNumber, externalId. */
  match: z
    .array(z.enum(["userName", "emails", "employeeNumber", "externalId"]))
    .min(1)
    .default(["userName"]),
  /** What each situation leads to. */
  situations: z
    .strictObject({
      unmatched: z.enum(["create", "ignore"]).default("create"),
      unlinked: z.enum(["link", "dispute"]).default("link"),
      deleted: z.enum(["deactivate", "suspend", "ignore"]).default("deactivate"),
      /** When the connection itself is removed, for people whom no other lists; absent = as `deleted`. */
      removed: z.enum(["deactivate", "suspend", "ignore"]).optional(),
      /** Who is not active at the source: suspended here, or deactivated, which also closes the grants made to them. */
      disabled: z.enum(["suspend", "deactivate"]).default("suspend"),
    })
    .prefault({}),
});
export type Mapping = z.output<typeof mappingSchema>;

const limit = z.strictObject({
  /** Held when a plan has more than this many. */
  count: z.number().int().min(0).default(500),
  /** Held when a plan has more than this share of the connection's linked accounts, or of those whose people have access… */
  share: share.default(0.1),
  /** …and more than this many, so that a small directory may lose somebody. */
  floor: z.number().int().min(0).default(5),
});

export const limitsSchema = z.strictObject({
  disable: limit.prefault({}),
  delete: limit.prefault({}),
  /** Disables and deletes of several plans and requests together. */
  window: z
    .strictObject({
      hours: z
        .number()
        .min(0.01)
        .max(24 * 31)
        .default(24),
      count: z.number().int().min(0).default(1000),
      share: share.default(0.2),
      floor: z.number().int().min(0).default(20),
    })
    .prefault({}),
  /** Memberships of people who stay that end, as members leave groups or groups go: of one plan, with those of `window.hours` before it. So with what conditions of rules give. */
  members: z
    .strictObject({
      count: z.number().int().min(0).default(5000),
      /** Of the memberships in the connection's groups. */
      share: share.default(0.2),
      floor: z.number().int().min(0).default(20),
    })
    .prefault({}),
  /** A full read that returns this share fewer records than are known is held. */
  shrink: share.default(0.2),
  /** Consecutive failed runs until quarantine. */
  failures: z.number().int().min(1).max(100).default(5),
});
export type Limits = z.output<typeof limitsSchema>;

/** What this connection receives as a target. */
const provisionSchema = z.strictObject({
  /** CEL over `person`, boolean: who has an account there while active. */
  scope: expression.default("true"),
  /** SCIM path to CEL over `person`; absent = the whole profile as it is. */
  attributes: z.record(z.string(), expression).optional(),
  /** Groups to keep there, by display name; `all` = every group with a member in scope. */
  groups: z.union([z.literal("all"), z.array(z.string().min(1))]).default([]),
  /** What happens to an account whose person leaves or falls out of scope. */
  leave: z.enum(["deactivate", "suspend", "delete"]).default("deactivate"),
  /** With `delete`: days that the account stays deactivated first. */
  graceDays: days.default(30),
  /** Attributes by which an existing account is found there, each in turn. */
  match: z
    .array(z.enum(["userName", "externalId", "emails"]))
    .min(1)
    .default(["userName"]),
  limits: limitsSchema.pick({ disable: true, delete: true, window: true }).prefault({}),
  /** How often the target is listed in full: cron. */
  reconcile: z.string().optional(),
});
export type Provision = z.output<typeof provisionSchema>;

const writeBackSchema = z.strictObject({
  /** Disable at the source who is blocked here by somebody else than this origin, and enable again when lifted. */
  disable: z.boolean().default(false),
  /** Take leavers out of their groups at the source. */
  groups: z.boolean().default(false),
});

const silentSchema = z.strictObject({
  /** Hours without a read that went through, whatever the reason: disabled, quarantined, failing. */
  afterHours: z
    .number()
    .min(1)
    .max(24 * 366),
  /** `handOver`: its people's other origins master what it did, until it is read again. `keep`: what it said last stands. */
  reaction: z.enum(["keep", "handOver"]).default("keep"),
});

/** Who may sign in by this connection. */
export const signInPolicySchema = z.strictObject({
  /** Somebody whom nobody here matches becomes a person by signing in, if the mapping makes people at all. */
  create: z.boolean().default(false),
  /** Somebody here who matches is tied to the account at the first sign-in; otherwise an administrator does that. */
  link: z.boolean().default(true),
  /** Domains whose addresses the provider hands out itself, so that they hold even where it does not call them verified. */
  verifiedDomains: z
    .array(
      z
        .string()
        .toLowerCase()
        .regex(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/, "must be a domain: example.com"),
    )
    .max(100)
    .default([]),
});
export type SignInPolicy = z.output<typeof signInPolicySchema>;

/** `policy` as stored. */
export const policySchema = z.strictObject({
  provision: provisionSchema.optional(),
  signIn: signInPolicySchema.optional(),
  writeBack: writeBackSchema.prefault({}),
  silent: silentSchema.optional(),
  /** Calls of the system that say that something changed there; each starts an incremental run. */
  notifications: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** Calls that come within so many seconds of the first start one run together. */
      gatherSeconds: z.number().min(0).max(3600).default(5),
    })
    .prefault({}),
  /** Hours after which the next run reads in full, memberships included. */
  fullEveryHours: z
    .number()
    .min(0)
    .max(24 * 31)
    .default(24),
});
export type Policy = z.output<typeof policySchema>;

/** A connection as an administrator writes it (`rollcall connection add FILE`). */
export const connectionDefinitionSchema = z.strictObject({
  name,
  connector: z.string(),
  settings: z.record(z.string(), z.unknown()).default({}),
  /** Cron expression; absent = only by hand. */
  schedule: z.string().optional(),
  timeZone: z.string().default("UTC"),
  enabled: z.boolean().default(true),
  precedence: z.number().int().min(0).max(10_000).default(100),
  mapping: mappingSchema.optional(),
  limits: limitsSchema.prefault({}),
  policy: policySchema.prefault({}),
});
export type ConnectionDefinition = z.output<typeof connectionDefinitionSchema>;
