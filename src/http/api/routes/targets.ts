import { z } from "zod";
import { enqueue } from "../../../db/queue.ts";
import { listProjections, PROJECTION_STATES } from "../../../provision/projection-list.ts";
import { listTargets, listRepairs, targetId } from "../../../provision/target-list.ts";
import { idPlace, nameParams } from "../machinery/fields.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { instant, uuid } from "../schemas.ts";

const tag = "Targets";
const view = { permission: "rollcall.connections.view", on: "organisation" } as const;

const targetSchema = z
  .object({
    name: z.string(),
    connector: z.string(),
    enabled: z.boolean(),
    state: z.string(),
    projections: z.int().describe("Accounts and groups that are kept there."),
    dirty: z.int().describe("Not looked at yet since something changed."),
    waiting: z.int(),
    retrying: z.int(),
    held: z.int().describe("Held by a guard."),
    dead: z.int().describe("Dead letters."),
    lastDeliveredAt: instant.nullable(),
  })
  .meta({ id: "Target" });

const projectionSchema = z
  .object({
    id: z.int(),
    target: z.string(),
    kind: z.enum(["user", "group"]),
    personId: z.string().nullable(),
    groupId: z.string().nullable(),
    subject: z.string().nullable(),
    nativeId: z.string().nullable().describe("The account there."),
    desired: z.string().describe("absent, present, disabled or removed."),
    delivered: z.string().nullable().describe("What the target has confirmed."),
    state: z.enum(PROJECTION_STATES),
    dirty: z.boolean(),
    attempts: z.int(),
    reason: z.string().nullable().describe("The target's own words, or the guard's."),
    removeAfter: instant.nullable(),
    sourceChangedAt: instant.nullable(),
    seenAt: instant.nullable(),
    decidedAt: instant.nullable(),
    deliveredAt: instant.nullable(),
  })
  .meta({ id: "Projection" });

export const targetRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/targets",
    summary: "Connections that receive, and how far they are in step",
    description:
      "How many accounts and groups each is to hold, how many of them wait, are tried again, are held by a guard or were given up, and when something was last delivered. `GET /targets/{name}/projections` lists them.",
    tag,
    access: view,
    answer: z.object({ items: z.array(targetSchema) }),
    handler: async (call) => ({ items: await listTargets(call.sql) }),
  }),
  route({
    method: "get",
    path: "/targets/{name}/projections",
    summary: "What we want at a target, and what stands there",
    description: "With `state=dead` its dead letters, with `state=held` what a guard holds; both are let go by POST /deliveries/retry.",
    tag,
    access: view,
    params: nameParams,
    query: z.strictObject({ ...pageQuery, state: z.enum(PROJECTION_STATES).optional(), person: uuid.optional() }),
    answer: pageOf(projectionSchema),
    async handler(call, { params, query: { limit, cursor, state, person } }) {
      const connectionId = await targetId(call.sql, params.name);
      const after = placeOf(cursor, idPlace)?.[0];
      const states = state === undefined ? undefined : [state];
      const rows = await listProjections(call.sql, { connectionId, states, personId: person, after, limit: limit + 1 });
      return page(rows, { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/targets/{name}/drift",
    summary: "When accounts there were found other than delivered, and repaired; the newest first",
    description:
      "Somebody changed accounts in the target itself. Each line counts those found and put right in one comparison; the last hundred at most.",
    tag,
    access: view,
    params: nameParams,
    answer: z.object({ items: z.array(z.object({ at: instant, count: z.int() })) }),
    async handler(call, { params }) {
      await targetId(call.sql, params.name);
      return { items: await listRepairs(call.sql, params.name) };
    },
  }),
  route({
    method: "post",
    path: "/targets/{name}/reconcile",
    summary: "Compare a target with what was delivered, and repair it, as soon as a worker is free",
    description:
      "Answers at once (202). Its guards hold for what it repairs as for any delivery. Asked again before it began, it is done once.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    params: nameParams,
    status: 202,
    answer: z.object({ target: z.string(), queued: z.literal(true) }),
    async handler(call, { params }) {
      const connectionId = await targetId(call.sql, params.name);
      await enqueue(call.sql, { job: "reconcile", payload: { connectionId }, key: `reconcile:${connectionId}:now`, maxAttempts: 3 });
      return { target: params.name, queued: true as const };
    },
  }),
];
