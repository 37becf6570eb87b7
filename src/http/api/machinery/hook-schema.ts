import { z } from "zod";
import { instant } from "../schemas.ts";

export const hookSchema = z
  .object({
    name: z.string(),
    state: z.enum(["enabled", "disabled"]),
    address: z.string().nullable().describe("Where its system calls; null while `http.publicUrl` is not set."),
    secret: z.string().describe("Whether there is one, and which setting holds it where an administrator chooses it. Never itself."),
    madeBy: z.enum(["rollcall", "administrator"]).describe("Who subscribes there."),
    subscriptions: z.array(z.object({ about: z.string(), expiresAt: instant.nullable(), address: z.string() })),
    problem: z.string().nullable().describe("Why the last look at the subscriptions failed."),
    keptAt: instant.nullable(),
    notifiedAt: instant.nullable(),
    notifications: z.int().describe("How many came so far."),
  })
  .meta({ id: "ConnectionHooks" });
