import { z } from "zod";

/** How a SCIM client that writes to us behaves. It holds no secret: its tokens are ours (`rollcall token create --connection NAME`). */
export const settingsSchema = z.strictObject({
  /** Whose SCIM client it is, for the administrator's eyes; every known quirk is accepted whichever it is. */
  dialect: z.enum(["generic", "entra", "okta", "google", "onelogin", "jumpcloud", "ping", "sap"]).default("generic"),
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
