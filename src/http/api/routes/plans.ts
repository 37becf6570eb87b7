import { z } from "zod";
import { reachedPeople } from "../../../access/policy.ts";
import { approvePlan, rejectPlan } from "../../../sync/approve.ts";
import { listPlanItems, listPlanViews, PLAN_STATES, readPlan } from "../../../sync/plan-list.ts";
import { connectionName, counts, idPlace, kind, rowIdParams } from "../machinery/fields.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { instant, reason } from "../schemas.ts";

const tag = "Plans";
const view = { permission: "rollcall.plans.view", on: "organisation" } as const;

const planSchema = z
  .object({
    id: z.int(),
    runId: z.int(),
    connection: z.string(),
    state: z.enum(PLAN_STATES),
    hash: z.string().nullable().describe("SHA-256 that binds its items; an approval names it."),
    counts: counts.describe("Items by kind and action."),
    guards: z.array(z.object({ guard: z.string(), message: z.string() })).describe("What holds it, each with its numbers."),
    refused: z.int().describe("Items whose input had moved: they wait for the next plan."),
    failed: z.int(),
    openedAt: instant,
    closedAt: instant.nullable(),
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    appliedAt: instant.nullable(),
  })
  .meta({ id: "Plan" });

const values = z.record(z.string(), z.unknown()).nullable();
const itemSchema = z
  .object({
    seq: z.int(),
    kind,
    action: z.string(),
    nativeId: z.string(),
    accountId: z.int().nullable(),
    subjectId: z.string().nullable().describe("The person, group or unit that it is about."),
    subject: z.string().nullable(),
    reason: z.string(),
    changed: z.array(z.string()).describe("Attributes of a person that change."),
    membersAdded: z.int(),
    membersRemoved: z.int(),
    sourceChangedAt: instant.nullable(),
    seenAt: instant,
    outcome: z.string().nullable().describe("Why it was not applied, when it was refused or failed."),
    before: values.describe("Values of what changes, for who may see the person; else null."),
    after: values,
  })
  .meta({ id: "PlanItem" });

const decision = z.strictObject({
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be the hash of the plan as it was shown: 64 hexadecimal digits")
    .describe("Of the plan as it was shown."),
  reason,
});

export const planRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/plans",
    summary: "Plans, the newest first",
    description: "With `state=held` those that wait for approval, each with the guards that hold it.",
    tag,
    access: view,
    query: z.strictObject({ ...pageQuery, connection: connectionName.optional(), state: z.enum(PLAN_STATES).optional() }),
    answer: pageOf(planSchema),
    async handler(call, { query: { limit, cursor, connection, state } }) {
      const before = placeOf(cursor, idPlace)?.[0];
      return page(await listPlanViews(call.sql, { connection, state, before, limit: limit + 1 }), { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/plans/{id}",
    summary: "One plan, and why it is held",
    description:
      "What a run decided, counted, with the guards that hold it and their limits. `GET /plans/{id}/items` lists what it would do to whom. A held one is approved or rejected; one that is superseded is not applied any more.",
    tag,
    access: view,
    params: rowIdParams,
    answer: planSchema,
    handler: (call, { params }) => readPlan(call.sql, params.id),
  }),
  route({
    method: "get",
    path: "/plans/{id}/items",
    summary: "What a plan would do, item by item, those who leave first",
    description: "Details of plans that ended are kept for thirty days. Values are shown to who may see the person.",
    tag,
    access: view,
    params: rowIdParams,
    query: z.strictObject({ ...pageQuery, action: z.string().max(40).optional(), kind: kind.optional() }),
    answer: pageOf(itemSchema),
    async handler(call, { params, query: { limit, cursor, action, kind: of } }) {
      await readPlan(call.sql, params.id);
      const reach = await call.reach("rollcall.people.view");
      const rows = await listPlanItems(call.sql, {
        planId: params.id,
        keyRing: call.options.keyRing,
        action,
        kind: of,
        after: placeOf(cursor, z.tuple([z.int(), z.int()])),
        limit: limit + 1,
        visible: { ...reachedPeople(reach, { person: "x", from: 8 }), all: reach.everything || reach.organisation },
      });
      const { items, next } = page(rows, { limit, place: ({ place }) => place });
      return { items: items.map(({ item }) => item), next };
    },
  }),
  ...(
    [
      ["approve", "Let a held plan be applied exactly as it was shown", approvePlan, "The department was really closed", "administrators"],
      ["reject", "Refuse a held plan: nothing of it is applied", rejectPlan, "Half of the file is missing", undefined],
    ] as const
  ).map(([action, summary, decide, why, locks]) =>
    route({
      method: "post",
      path: `/plans/{id}/${action}`,
      ...(locks ? { locks } : {}),
      summary,
      description: "The hash must be that of the plan as it was shown: a plan that has changed since is decided by nobody unseen.",
      tag,
      access: { permission: "rollcall.plans.approve", on: "organisation" },
      params: rowIdParams,
      body: decision,
      example: { hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", reason: why },
      status: 200,
      answer: planSchema,
      async handler(call, { params, body }) {
        await decide(call, { planId: params.id, ...body });
        return readPlan(call.sql, params.id);
      },
    }),
  ),
];
