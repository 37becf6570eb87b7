import { z } from "zod";
import { endingTimes, listDeliveryViews, OPERATIONS } from "../../../provision/delivery-list.ts";
import { retryDeliveries } from "../../../provision/letters.ts";
import { targetId } from "../../../provision/target-list.ts";
import { findConnection } from "../../../connections/open.ts";
import { connectionName, idPlace, rowId } from "../machinery/fields.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { instant } from "../schemas.ts";

const tag = "Targets";
const view = { permission: "rollcall.connections.view", on: "organisation" } as const;
const HOUR_MS = 3_600_000;
const MOST_AT_ONCE = 1000;

const deliverySchema = z
  .object({
    id: z.int(),
    target: z.string(),
    projectionId: z.int(),
    subject: z.string().nullable(),
    personId: z.string().nullable(),
    operation: z.string(),
    attempt: z.int(),
    state: z.string().describe("delivered, failed, dead or retried."),
    fault: z.string().nullable(),
    message: z.string().nullable().describe("The target's own words."),
    sourceChangedAt: instant.nullable(),
    seenAt: instant.nullable(),
    decidedAt: instant.nullable(),
    startedAt: instant,
    finishedAt: instant.describe("Delivered, when it was."),
  })
  .meta({ id: "Delivery" });

const seconds = z.number().nullable();

export const deliveryRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/deliveries",
    summary: "What was sent to targets, each with its four times; the newest first",
    description:
      "One line for each push, with when the change was made at its source, seen, decided and delivered. `failed` is tried again by itself; `dead` is not, and `POST /deliveries/retry` tries it again.",
    tag,
    access: view,
    query: z.strictObject({
      ...pageQuery,
      target: connectionName.optional(),
      projection: rowId.optional(),
      state: z.enum(["delivered", "failed", "dead", "retried"]).optional(),
      operation: z.enum(OPERATIONS).optional(),
    }),
    answer: pageOf(deliverySchema),
    async handler(call, { query: { limit, cursor, target, projection, state, operation } }) {
      const connectionId = target === undefined ? undefined : (await findConnection(call.sql, target)).id;
      const before = placeOf(cursor, idPlace)?.[0];
      const only = { connectionId, projectionId: projection, state, operation, before };
      return page(await listDeliveryViews(call.sql, { ...only, limit: limit + 1 }), { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/deliveries/times",
    summary: "The kill switch, measured: from the source's change to the last target where access ended",
    description:
      "In seconds, over the people who were disabled or removed at targets in the last hours. Where a source tells no time of its change, from its being seen.",
    tag,
    access: view,
    query: z.strictObject({ hours: z.coerce.number().int().min(1).max(744).default(24) }),
    answer: z.object({ hours: z.int(), people: z.int(), p50: seconds, p99: seconds, slowest: seconds }),
    async handler(call, { query: { hours } }) {
      const since = new Date(call.ctx.now().getTime() - hours * HOUR_MS);
      return { hours, ...(await endingTimes(call.sql, { since })) };
    },
  }),
  route({
    method: "post",
    path: "/deliveries/retry",
    summary: "Send dead letters again, and let go what a guard held",
    description: "Named by what `GET /deliveries` calls their `projectionId` (their `id` is that of one try), or all of a target.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    body: z.union([
      z.strictObject({ ids: z.array(z.int().positive()).min(1).max(MOST_AT_ONCE).describe("Their `projectionId`.") }),
      z.strictObject({ target: connectionName }),
    ]),
    example: { ids: [1041, 1042] },
    status: 200,
    answer: z.object({ retried: z.int() }),
    async handler(call, { body }) {
      if ("ids" in body) return { retried: await retryDeliveries(call, { ids: body.ids }) };
      await targetId(call.sql, body.target);
      return { retried: await retryDeliveries(call, { connection: body.target }) };
    },
  }),
];
