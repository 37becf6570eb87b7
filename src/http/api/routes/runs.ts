import { z } from "zod";
import { cancelRun } from "../../../sync/cancel-run.ts";
import { followRun, type RunEvent } from "../../../sync/run-events.ts";
import { listRunProblems, listRuns, readRun, RUN_STATES } from "../../../sync/run-list.ts";
import { connectionName, idPlace, rowIdParams } from "../machinery/fields.ts";
import { runSchema, runSummarySchema } from "../machinery/run-schema.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { reason } from "../schemas.ts";
import type { ServerEvent } from "../special.ts";

const tag = "Runs";
const view = { permission: "rollcall.connections.view", on: "organisation" } as const;

const problemSchema = z
  .object({ id: z.int(), kind: z.string(), nativeId: z.string(), code: z.string(), message: z.string() })
  .meta({ id: "RunProblem" });

export const runRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/runs",
    summary: "Runs, the newest first",
    description: "Of all connections, also those that are under way; `GET /runs/{id}/events` follows one.",
    tag,
    access: view,
    query: z.strictObject({ ...pageQuery, connection: connectionName.optional(), state: z.enum(RUN_STATES).optional() }),
    answer: pageOf(runSummarySchema),
    async handler(call, { query: { limit, cursor, connection, state } }) {
      const before = placeOf(cursor, idPlace)?.[0];
      return page(await listRuns(call.sql, { connection, state, before, limit: limit + 1 }), { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/runs/{id}",
    summary: "One run: counts, evidence, problems, times",
    description:
      "What was read, with the evidence that it was all; what was decided, applied, held and refused; what it took. Problems are listed at `GET /runs/{id}/problems`.",
    tag,
    access: view,
    params: rowIdParams,
    answer: runSchema,
    handler: (call, { params }) => readRun(call.sql, params.id),
  }),
  route({
    method: "get",
    path: "/runs/{id}/problems",
    summary: "Records that could not be taken in as they are",
    description:
      "Each with the record's own id, what is wrong with it, and what to do. One bad record stops no others; it is looked at again in the next run.",
    tag,
    access: view,
    params: rowIdParams,
    query: z.strictObject(pageQuery),
    answer: pageOf(problemSchema),
    async handler(call, { params, query: { limit, cursor } }) {
      await readRun(call.sql, params.id);
      const after = placeOf(cursor, idPlace)?.[0];
      const rows = await listRunProblems(call.sql, { runId: params.id, after, limit: limit + 1 });
      return page(rows, { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/runs/{id}/events",
    summary: "Follow a run as server-sent events, whatever node it is on",
    description:
      "`state` and `progress` since the beginning, or since the event that Last-Event-ID names, then as they come; `heartbeat` while nothing happens; `end`, with the run, when it has ended or waits for approval.",
    tag,
    access: view,
    params: rowIdParams,
    sends: "text/event-stream",
    async handler(call, { params }) {
      await readRun(call.sql, params.id);
      const { db } = call.options;
      const after = /^\d{1,15}$/.test(call.lastEventId ?? "") ? Number(call.lastEventId) : 0;
      return {
        special: "events",
        events: (signal) =>
          asSent(followRun(db.readPool, { runId: params.id, after, signal: AbortSignal.any([signal, db.closing]), now: call.ctx.now })),
      };
    },
  }),
  route({
    method: "post",
    path: "/runs/{id}/cancel",
    summary: "Cancel a run that waits, reads or decides",
    description:
      "It stops within seconds and nothing of its plan is applied. One that is being applied is carried through; a held plan is rejected instead.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    params: rowIdParams,
    body: z.strictObject({ reason }),
    example: { reason: "The directory is being repaired" },
    status: 200,
    answer: runSchema,
    async handler(call, { params, body }) {
      await cancelRun(call, { runId: params.id, reason: body.reason });
      return readRun(call.sql, params.id);
    },
  }),
];

async function* asSent(events: AsyncIterable<RunEvent>): AsyncGenerator<ServerEvent> {
  for await (const { event, data, ...rest } of events)
    yield {
      event,
      ...("id" in rest ? { id: String(rest.id) } : {}),
      data: event === "end" ? runSchema.parse(data) : data,
    };
}
