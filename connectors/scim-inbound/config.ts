import { z } from "zod";

/** The profiles of known SCIM clients; `auto` recognises one by its requests and is `generic` until then. */
export const DIALECTS = ["generic", "entra", "okta", "google", "onelogin", "jumpcloud", "ping", "sap"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** Most requests that one token may send: `burst` at once, `perSecond` in the long run. */
export const rateLimitSchema = z.strictObject({
  perSecond: z.number().gt(0).max(100_000),
  burst: z.number().int().min(1).max(1_000_000).optional(),
});
export type RateLimit = z.output<typeof rateLimitSchema>;

/** How a SCIM client that writes to us behaves. It holds no secret: its tokens are ours (`rollcall token create --connection NAME`). */
export const settingsSchema = z.strictObject({
  /** Whose SCIM client it is: which departures from the RFCs are understood, counted and told. */
  dialect: z.enum(["auto", ...DIALECTS]).default("auto"),
  /** `own`: its tokens see and touch only people and groups that this connection has an account for. */
  visibility: z.enum(["directory", "own"]).default("directory"),
  /** Overrides the server's `http.rateLimit` for each of this connection's tokens. */
  rateLimit: rateLimitSchema.optional(),
  /**
   * What a PATCH that replaces a group's whole member list means. `authoritative`: the list is the group (RFC 7644, Okta).
   * `add`: whoever is not listed stays, because some clients send a part of the list (Entra).
   */
  replaceMembers: z.enum(["authoritative", "add"]).default("authoritative"),
  /** One request that takes more than `count` members and more than `share` of them out of a group is refused. */
  memberGuard: z
    .strictObject({
      count: z.number().int().min(0).default(100),
      share: z.number().gt(0).max(1).default(0.5),
    })
    .prefault({}),
});

export type ScimInboundSettings = z.output<typeof settingsSchema>;
