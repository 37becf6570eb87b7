import { z } from "zod";
import { PLAN_STATES } from "../../../sync/plan-list.ts";
import { RUN_STATES } from "../../../sync/run-list.ts";
import { instant } from "../schemas.ts";
import { counts } from "./fields.ts";

export const runSummarySchema = z
  .object({
    id: z.int(),
    connection: z.string(),
    mode: z.string().describe("As it was carried out: an incremental run that had to read in full says `full`."),
    trigger: z.string().describe("schedule, cli, api, recovery, hook, upload or replay."),
    state: z.enum(RUN_STATES),
    requestedBy: z.string().nullable(),
    cancelledBy: z.string().nullable(),
    planOnly: z.boolean(),
    startedAt: instant.describe("While it waits, when it was asked for."),
    finishedAt: instant.nullable(),
    read: z.record(z.string(), z.object({ read: z.int(), changed: z.int(), problems: z.int() })).describe("Records by kind."),
    notes: z.array(z.string()),
    evidence: z.record(z.string(), z.unknown()).describe("What proved that a read was complete, by kind."),
    problems: z.int(),
    errorCode: z.string().nullable(),
    error: z.string().nullable(),
    node: z.string().nullable(),
    planId: z.int().nullable(),
    planState: z.enum(PLAN_STATES).nullable(),
    plan: counts.describe("Items of its plan, by kind and action."),
  })
  .meta({ id: "RunSummary" });

export const runSchema = runSummarySchema
  .extend({
    times: z
      .object({ changedAt: instant.nullable(), seenAt: instant.nullable(), decidedAt: instant.nullable(), appliedAt: instant.nullable() })
      .describe(
        "The newest of what it decided: changed at the source, seen, decided, applied. What each delivery took stands with the deliveries.",
      ),
  })
  .meta({ id: "Run" });
