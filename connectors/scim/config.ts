import { z } from "zod";
import { proxySettings } from "../kit/settings.ts";

/** Settings of a SCIM 2.0 application that we provision into (RFC 7644). */
export const settingsSchema = z.strictObject({
  /** The SCIM base URL, without /Users. */
  url: z.url({ protocol: /^https?$/, error: "must be the SCIM base URL, such as https://app.example.com/scim/v2" }),
  /** The bearer token that the application gave. */
  token: z.string().min(1),
  /** PEM of the CA that signed the application's certificate, when it is a private one. */
  ca: z.string().optional(),
  /** The proxy to this application, instead of the operator's. */
  proxy: proxySettings.optional(),
  timeoutMs: z.number().int().min(100).max(600_000).default(30_000),
  /** How accounts are changed: as the application says (auto), by PATCH, or by PUT. */
  patch: z.enum(["auto", "patch", "put"]).default("auto"),
  /** How groups are changed: as accounts, until the application refuses or ignores it (auto), by PATCH, or by PUT. */
  groupPatch: z.enum(["auto", "patch", "put"]).default("auto"),
  /** Most member changes in one PATCH; fewer are sent once the application finds a request too large. */
  memberBatch: z.number().int().min(1).max(10_000).default(100),
  /** How members are taken out: by a value path each (RFC 7644), by a list of values, or by what the application takes. */
  memberRemoval: z.enum(["auto", "path", "list"]).default("auto"),
  /** Read a group before its members are changed: some applications store a member that is added twice two times. */
  compareMembers: z.boolean().default(true),
  /** Resources asked for in one page of a listing, where the application does not say that it gives fewer. */
  pageSize: z.number().int().min(1).max(10_000).default(100),
  /** How listings go from page to page: by what the application offers, by index (RFC 7644), or by cursor (RFC 9865). */
  paging: z.enum(["auto", "index", "cursor"]).default("auto"),
  /** Attributes that the application can filter by, where its filters know fewer than it says. */
  filters: z.array(z.enum(["userName", "externalId", "displayName", "emails"])).optional(),
  /** What the application's ServiceProviderConfig says wrongly, or does not say. */
  serviceProvider: z
    .strictObject({ patch: z.boolean().optional(), filter: z.boolean().optional(), etag: z.boolean().optional() })
    .prefault({}),
});

export type ScimSettings = z.output<typeof settingsSchema>;
