import { z } from "zod";
import { instant, line, reason, uuid } from "../schemas.ts";

const text = (most = 200) => line(most).nullable();
const languageTag = z.string().max(60).refine(isLanguageTag, "must be a language tag (RFC 5646): da, en-GB").nullable();

function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const MOST_ELEMENTS = 20;
const element = { type: line(50).optional(), primary: z.boolean().optional(), display: line(200).optional() };

/** At most one is the primary one (RFC 7643 section 2.4). */
function list<S extends z.ZodType<{ primary?: boolean | undefined }>>(schema: S) {
  return z
    .array(schema)
    .max(MOST_ELEMENTS)
    .refine((elements) => elements.filter(({ primary }) => primary === true).length < 2, "has more than one primary element")
    .nullable();
}

const httpUrl = z.url({ protocol: /^https?$/ }).max(1000);

/** The attributes of a person that are written here, named as RFC 7643 names them; null empties one. */
const attributes = {
  name: z
    .strictObject({
      formatted: text(),
      givenName: text(),
      familyName: text(),
      middleName: text(),
      honorificPrefix: text(50),
      honorificSuffix: text(50),
    })
    .partial(),
  displayName: text(),
  nickName: text(100),
  profileUrl: httpUrl.nullable(),
  title: text(),
  userType: text(100),
  preferredLanguage: languageTag.describe("The language in which Rollcall writes to the person (RFC 5646)."),
  locale: languageTag,
  timezone: z.string().max(60).refine(isTimeZone, "must be a time zone's name: Europe/Copenhagen").nullable(),
  emails: list(z.strictObject({ value: z.email().max(254), ...element })),
  phoneNumbers: list(
    z.strictObject({
      value: z
        .string()
        .trim()
        .regex(/^\+?[\d\s()./-]{3,40}(?:(?:x|ext\.?|#)\s*\d{1,8})?$/i, "must be a phone number"),
      ...element,
    }),
  ),
  addresses: list(
    z.strictObject({
      formatted: z.string().max(500).optional(),
      streetAddress: z.string().max(300).optional(),
      locality: line(100).optional(),
      region: line(100).optional(),
      postalCode: line(30).optional(),
      country: z
        .string()
        .regex(/^[A-Za-z]{2}$/, "must be a country's two letters (ISO 3166-1)")
        .optional(),
      type: element.type,
      primary: element.primary,
    }),
  ),
  externalId: text(),
  employeeNumber: text(100),
  costCenter: text(100),
  organization: text(),
  division: text(),
  department: text().describe("As one text; the departments and locations that Rollcall knows are units."),
  managerId: uuid.nullable(),
  custom: z.record(z.string().max(64), z.unknown()).describe("The organisation's own attributes, by key."),
};

/** What turns the direction of writing or has no width: who signs in would never type it, and a name with it looks like another. */
const UNSEEN = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/u;

const userName = z
  .string()
  .trim()
  // As at the SCIM door: é is one letter, in whichever way it is written.
  .normalize("NFC")
  .min(1)
  .max(254)
  .regex(/^[^\s\p{Cc}]+$/u, "must not hold spaces")
  .refine((name) => !UNSEEN.test(name), "must not hold characters that nobody sees");

export const personInput = z.strictObject({
  userName: userName.describe("The login; it can't be changed later."),
  ...z.object(attributes).partial().shape,
  unitIds: z.array(uuid).max(100).default([]).describe("Departments, locations and other units, as many as there are."),
  state: z.enum(["active", "invited"]).default("active"),
  reason: reason.optional(),
});

export const personPatch = z.strictObject({
  userName: userName.optional(),
  ...z.object(attributes).partial().shape,
  reason: reason.optional(),
});
export type PersonAttributesInput = z.output<typeof personPatch>;

const shownElement = z.looseObject({ value: z.string(), type: z.string().optional(), primary: z.boolean().optional() });

export const personLine = z
  .object({
    id: z.string(),
    userName: z.string(),
    displayName: z.string().nullable(),
    email: z.string().nullable(),
    phone: z.string().nullable(),
    title: z.string().nullable(),
    department: z.string().nullable(),
    employeeNumber: z.string().nullable(),
    state: z.string(),
    active: z.boolean(),
    origin: z.string().nullable().describe("The connection that masters the person; null = made here."),
    managerId: z.string().nullable(),
    version: z.int(),
    modifiedAt: instant,
  })
  .meta({ id: "PersonLine" });

export const personUnit = z.object({
  id: z.string(),
  name: z.string(),
  code: z.string().nullable(),
  type: z.string().describe("organization, department, location, team"),
  origins: z.array(z.string()).describe("Connections that put the person there."),
  local: z.boolean().describe("Put there by hand."),
  since: instant,
});

export const personSchema = z
  .object({
    id: z.string(),
    userName: z.string(),
    name: z.record(z.string(), z.string()),
    displayName: z.string().nullable(),
    nickName: z.string().nullable(),
    profileUrl: z.string().nullable(),
    title: z.string().nullable(),
    userType: z.string().nullable(),
    preferredLanguage: z.string().nullable(),
    locale: z.string().nullable(),
    timezone: z.string().nullable(),
    emails: z.array(shownElement),
    phoneNumbers: z.array(shownElement),
    addresses: z.array(z.looseObject({})),
    externalId: z.string().nullable(),
    employeeNumber: z.string().nullable(),
    costCenter: z.string().nullable(),
    organization: z.string().nullable(),
    division: z.string().nullable(),
    department: z.string().nullable(),
    email: z.string().nullable().describe("Where messages go: the primary address, unless it is somebody else's too."),
    custom: z.record(z.string(), z.unknown()).describe("Those of the organisation's own attributes that the caller may see."),
    state: z.enum(["invited", "active", "suspended", "deactivated"]),
    active: z.boolean(),
    blocks: z
      .array(
        z.object({
          owner: z.string(),
          connection: z.string().nullable(),
          effect: z.string(),
          reason: z.string(),
          since: instant,
          liftable: z.boolean(),
        }),
      )
      .describe("Why the person is not active: each with who decided it, and whether an administrator lifts it here."),
    expiresAt: instant.nullable().describe("When access ends by itself."),
    origin: z.string().nullable(),
    mastery: z
      .record(z.string(), z.string())
      .describe("Attribute to the connection that masters it; `*` = all that are not named. What is not here is edited here."),
    overridden: z
      .array(z.string())
      .describe("Attributes edited here that an origin overrides now; they come back when it says nothing any more."),
    units: z.array(personUnit),
    manager: z.object({ id: z.string(), displayName: z.string() }).nullable(),
    version: z.int(),
    createdAt: instant,
    modifiedAt: instant,
  })
  .meta({ id: "Person" });
