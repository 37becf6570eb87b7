import { z } from "zod";
import { httpSettings } from "../kit/settings.ts";

const KINDS = ["unit", "user", "group"] as const;

/** The parts of a service account's key file that are needed; the rest of the file is not used, its addresses least of all. */
const keyFile = z.object({
  type: z.literal("service_account"),
  client_email: z.email(),
  client_id: z.string().max(100).optional(),
  private_key_id: z.string().max(200).optional(),
  private_key: z.string().includes("-----BEGIN PRIVATE KEY-----"),
});
export type ServiceAccount = z.output<typeof keyFile>;

/** The service account in a key file's text; undefined when it is no such file. */
export function parseServiceAccount(text: string): ServiceAccount | undefined {
  try {
    return keyFile.safeParse(JSON.parse(text)).data;
  } catch {
    // What is no JSON is no key file, and quoting it would quote a secret.
    return undefined;
  }
}

const query = z.string().trim().min(1).max(1000);
/** Whoever reads an address in passing could take the token from it: unencrypted it stays on this machine. */
const address = z
  .url({ protocol: /^https?$/, error: "must be an https URL" })
  .refine((value) => !URL.canParse(value) || /^(https:|http:\/\/(127(\.\d+){3}|localhost|\[::1\])(:|\/|$))/i.test(new URL(value).href), {
    error: "must be an https URL",
  });

export const googleSettings = z.strictObject({
  ...httpSettings,
  /** The JSON key of the service account, whole, as Google Cloud gives it out. */
  serviceAccountKey: z
    .string()
    .max(20_000)
    .refine((text) => parseServiceAccount(text) !== undefined, {
      error: "must be the whole JSON key file of a service account (type service_account, with client_email and private_key)",
    }),
  /** The administrator in whose name the service account asks (domain-wide delegation). */
  administrator: z.email(),
  /** `my_customer` is the administrator's own organisation. */
  customer: z
    .string()
    .regex(/^(my_customer|C[0-9A-Za-z]{1,40})$/, "must be my_customer or a customer ID such as C01abc234")
    .default("my_customer"),
  /** Only users and groups of this domain. */
  domain: z
    .string()
    .regex(/^[a-z0-9.-]+\.[a-z0-9-]+$/i, "must be a domain name")
    .optional(),
  kinds: z
    .array(z.enum(KINDS))
    .min(1)
    .refine((kinds) => new Set(kinds).size === kinds.length, { error: "names a kind twice" })
    .default([...KINDS]),
  /** Only users who match, in the words of users.list: `orgUnitPath='/Staff'`. */
  userQuery: query.optional(),
  /** Only groups that match: `email:team-*`. */
  groupQuery: query.optional(),
  /** Custom attribute categories (schemas) to read. */
  customSchemas: z
    .array(z.string().regex(/^[\w-]{1,100}$/, "must be the name of a custom attribute category"))
    .max(100)
    .default([]),
  /** Users a page. */
  pageSize: z.number().int().min(1).max(500).default(500),
  /** Groups a page, and members a page. */
  groupPageSize: z.number().int().min(1).max(200).default(200),
  /** Groups whose members are asked for at the same time. */
  parallel: z.number().int().min(1).max(32).default(4),
  /** How often a call is tried in all while Google is too busy or away. */
  attempts: z.number().int().min(1).max(12).default(7),
  /** Whether somebody who is suspended is signed out everywhere, too. */
  signOut: z.boolean().default(true),
  apiUrl: address.default("https://admin.googleapis.com"),
  tokenUrl: address.default("https://oauth2.googleapis.com/token"),
});

export type GoogleSettings = z.output<typeof googleSettings>;
