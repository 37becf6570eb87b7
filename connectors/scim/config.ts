import { z } from "zod";

/** Settings of a SCIM 2.0 application that we provision into (RFC 7644). */
export const settingsSchema = z.strictObject({
  /** The SCIM base URL, without /Users. */
  url: z.url({ protocol: /^https?$/, error: "must be the SCIM base URL, such as https://app.example.com/scim/v2" }),
  /** The bearer token that the application gave. */
  token: z.string().min(1),
  /** PEM of the CA that signed the application's certificate, when it is a private one. */
  ca: z.string().optional(),
  timeoutMs: z.number().int().min(100).max(600_000).default(30_000),
  /** How accounts are changed: as the application says (auto), by PATCH, or by PUT. */
  patch: z.enum(["auto", "patch", "put"]).default("auto"),
  /** Most member changes in one PATCH. */
  memberBatch: z.number().int().min(1).max(10_000).default(100),
  /** Read a group before its members are changed: some applications store a member that is added twice two times. */
  compareMembers: z.boolean().default(true),
  /** Resources asked for in one page of a listing. */
  pageSize: z.number().int().min(1).max(10_000).default(100),
  /** What the application's ServiceProviderConfig says wrongly, or does not say. */
  serviceProvider: z.strictObject({ patch: z.boolean().optional(), filter: z.boolean().optional() }).prefault({}),
});

export type ScimSettings = z.output<typeof settingsSchema>;
