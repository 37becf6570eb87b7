import { z } from "zod";
import { connectionDefinitionSchema } from "../../../connections/definition.ts";
import { instant } from "../schemas.ts";
import { kind } from "./fields.ts";

const anything = z.record(z.string(), z.unknown());

export const connectionSchema = z
  .object({
    id: z.string().describe("Its name."),
    name: z.string(),
    connector: z.string(),
    settings: anything.describe("Without its secrets."),
    secrets: z.record(z.string(), z.object({ set: z.literal(true) })).describe("Which secrets are set, by their dotted name."),
    schedule: z.string().nullable().describe("Cron; null = by hand."),
    timeZone: z.string(),
    nextRuns: z.array(instant).describe("When it will be read next."),
    nextReconciliations: z.array(instant).describe("When its target will be compared next."),
    enabled: z.boolean(),
    precedence: z.int(),
    mapping: anything.nullable(),
    limits: anything,
    policy: anything,
    state: z.enum(["ready", "flagged", "quarantined"]),
    stateReason: z.string().nullable(),
    failures: z.int().describe("Runs that failed one after the other."),
    people: z.int().describe("Linked accounts of people."),
    disputed: z.int().describe("Accounts that wait for a human."),
    held: z.int().describe("Plans that wait for approval."),
    lastRunAt: instant.nullable(),
    lastFullAt: instant.nullable(),
    version: z.int(),
  })
  .meta({ id: "Connection" });

/**
 * A definition as a command file has it. It is described by its own schema and validated below the door, with settings and expressions,
 * so that every problem is told at once.
 */
export const definitionBody = anything.meta(described(connectionDefinitionSchema, "ConnectionDefinition"));
export const changeBody = anything.meta(changed(connectionDefinitionSchema.omit({ name: true, connector: true }), "ConnectionChange"));

function described(schema: z.ZodType, id: string): Record<string, unknown> {
  const { $schema: _, ...shown } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" });
  return { ...shown, id };
}

/** Nothing is needed, nothing has a default, and null takes a part away. */
function changed(schema: z.ZodType, id: string): Record<string, unknown> {
  const { required: _, properties, ...shown } = described(schema, id);
  const parts = Object.entries(properties as Record<string, Record<string, unknown>>).map(([name, { default: __, ...part }]) => [
    name,
    { anyOf: [part, { type: "null" }] },
  ]);
  return { ...shown, properties: Object.fromEntries(parts) as unknown };
}

const triedRecord = z.object({
  nativeId: z.string(),
  outcome: z.enum(["mapped", "out of scope", "failed"]),
  becomes: anything.optional().describe("What the mapping makes of it; nothing is stored."),
  problem: z.string().optional(),
});

export const checkSchema = z
  .object({
    ok: z.boolean(),
    results: z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        message: z.string().describe("What was seen, and on failure what to do."),
        kind: kind.optional(),
        permission: z.string().optional().describe("What is missing, in the words of that system's console."),
        samples: z.array(triedRecord).optional(),
      }),
    ),
  })
  .meta({ id: "ConnectionCheck" });

export const quirkSchema = z.object({
  dialect: z.string(),
  quirk: z.string(),
  attribute: z.string(),
  sample: z.string(),
  count: z.int(),
  firstSeen: instant,
  lastSeen: instant,
  says: z.string(),
});

export const removalSchema = z
  .object({
    name: z.string(),
    removed: z.boolean(),
    handedOver: z.int().describe("Other origins list them, and master what it did."),
    leaving: z.int().describe("Nobody else lists them: they leave."),
    disabled: z.int().describe("Of those handed over, whom their other origins have as not active."),
    enabled: z.int().describe("Of those handed over, who were not active by it alone, and are active again."),
    groups: z.int(),
    units: z.int(),
  })
  .meta({ id: "ConnectionRemoval" });
