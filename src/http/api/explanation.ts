import { z } from "zod";
import { instant } from "./schemas.ts";

const unit = z.object({ id: z.string(), name: z.string(), code: z.string().nullable() });
const sourceRecord = z.object({
  connection: z.string().nullable().describe("Null: made here."),
  accountId: z.int().nullable(),
  nativeId: z.string().nullable(),
});

const obstacle = z.object({
  kind: z.enum(["state", "block", "expired", "not_employed"]),
  what: z.string().describe("Which state, or who owns the block."),
  connection: z.string().nullable(),
  reason: z.string(),
  since: instant.nullable(),
  until: instant.nullable().describe("When it ends by itself."),
});

const derivation = z
  .object({
    membership: z
      .object({ groupId: z.string(), group: z.string(), since: instant, sources: z.array(sourceRecord) })
      .nullable()
      .describe("Null when the grant is the person's own."),
    nestings: z
      .array(z.object({ groupId: z.string(), group: z.string(), connection: z.string().nullable() }))
      .describe("Up to the group that holds the grant."),
    rule: z
      .object({
        id: z.string(),
        name: z.string(),
        group: z.string().nullable(),
        condition: z
          .string()
          .nullable()
          .describe("Null, too, where it speaks of attributes of the organisation's own that the caller may not see."),
        attributes: z
          .array(z.object({ name: z.string(), connection: z.string().nullable() }))
          .describe("What the condition asks for, and the connection that masters it."),
      })
      .nullable(),
    grant: z.object({ id: z.string(), source: z.string(), reason: z.string(), from: instant, until: instant.nullable() }),
    roles: z
      .array(z.object({ id: z.string(), key: z.string(), name: z.string() }))
      .describe("From the granted role to the one that holds the permission."),
    units: z.array(unit).describe("From the granted unit down to the one that was asked for."),
    endsAt: instant.nullable().describe("When this way ends by itself."),
  })
  .meta({ id: "Derivation" });

const missing = z
  .object({
    kind: z.enum([
      "grant_ended",
      "grant_not_begun",
      "member_time_over",
      "membership_ended",
      "membership_not_begun",
      "role_lacks_it",
      "unit_beside",
      "not_a_member",
      "rule_not_fulfilled",
      "rule_off",
      "rule_not_in_time",
      "rule_waits_for_group",
      "no_role_has_it",
      "unit_unknown",
    ]),
    at: instant.nullable().describe("When it ended, or will begin."),
    grantId: z.string().nullable(),
    groupId: z.string().nullable(),
    group: z.string().nullable(),
    ruleId: z.string().nullable(),
    rule: z.string().nullable(),
    role: z.string().nullable(),
    unit: unit.nullable().describe("Where it was granted."),
  })
  .meta({ id: "MissingLink" });

const name = z.string().describe("In words.");
const removable = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.literal("membership"), name, groupId: z.string() }),
    z.object({ kind: z.literal("nesting"), name, childId: z.string(), parentId: z.string() }),
    z.object({ kind: z.literal("grant"), name, grantId: z.string() }),
    z.object({ kind: z.literal("rule"), name, ruleId: z.string() }),
    z.object({ kind: z.literal("inheritance"), name, roleId: z.string(), parentId: z.string() }),
    z.object({ kind: z.literal("content"), name, roleId: z.string() }),
  ])
  .meta({ id: "Removable" });

/** The answer to why somebody may or may not do something (B4). */
export const explanation = z
  .object({
    at: instant,
    knownAt: instant.nullable(),
    permission: z.string(),
    unitId: z.string(),
    allowed: z.boolean(),
    blockedBy: z.array(obstacle).describe("What keeps the person from everything; the derivations would hold without it."),
    derivations: z.array(derivation).describe("At most fifty."),
    missing: z.array(missing).describe("Where there is no derivation: what is missing, the nearest first."),
    removals: z.array(z.array(removable)).describe("Minimal sets of things without which no derivation is left; smallest first."),
    allRemovals: z.boolean().describe("Whether these are all such sets."),
  })
  .meta({ id: "Explanation" });
