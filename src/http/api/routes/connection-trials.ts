import { z } from "zod";
import { tryDefinition } from "../../../connections/change-connection.ts";
import { checkWhole } from "../../../auth/check-connection.ts";
import { loadConnection } from "../../../connections/open.ts";
import type { Context } from "../../../context.ts";
import { messageOf } from "../../../errors.ts";
import { requestRun } from "../../../sync/request-run.ts";
import { readRun } from "../../../sync/run-list.ts";
import { tryMapping } from "../../../sync/try-mapping.ts";
import { checkSchema } from "../machinery/connection-schemas.ts";
import { nameParams } from "../machinery/fields.ts";
import { runSchema } from "../machinery/run-schema.ts";
import { route, type ApiCall, type Route } from "../route.ts";

const SAMPLE = 10;
/** Longest that another system may keep a caller waiting. */
const WAIT_MS = 60_000;

const tag = "Connections";

/** What asks a system, and stores nothing; and what asks for a run. */
export const connectionTrialRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/connections/{name}/check",
    summary: "Can it be reached and read, and what does the mapping make of the first ten records of each kind?",
    description: "Stores nothing. A missing permission is named as that system's console names it.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    params: nameParams,
    status: 200,
    answer: checkSchema,
    ownTransactions: true,
    async handler(call, { params }) {
      const connection = await loadConnection(call.sql, call.options.keyRing, params.name);
      const ctx = patient(call);
      const { db, keyRing, baseUrl } = call.options;
      const reached = await checkWhole(ctx, { db, keyRing, baseUrl, connection });
      const tried = reached.some(({ ok }) => ok) ? await mappingTried(() => tryMapping(ctx, { connection, limit: SAMPLE })) : [];
      return answerOf([...reached, ...tried]);
    },
  }),
  route({
    method: "post",
    path: "/connections/{name}/try-mapping",
    summary: "Try a mapping on the first ten records of each kind, without saving it",
    description:
      "The records are read from the system itself, and nothing is written. Each comes with what the mapping would make of it, or why it makes nothing; expressions that don't compile are refused (422) with their place. What saving it would do to everybody's access, `POST /previews` says.",
    tag,
    access: { permission: "rollcall.connections.edit", on: "organisation" },
    params: nameParams,
    body: z.strictObject({ mapping: z.record(z.string(), z.unknown()) }),
    example: { mapping: { user: { attributes: { displayName: 'account.givenName + " " + account.sn' } } } },
    status: 200,
    answer: checkSchema,
    ownTransactions: true,
    async handler(call, { params, body }) {
      const { keyRing, connectionFolders: folders } = call.options;
      const connection = await loadConnection(call.sql, keyRing, params.name);
      const { mapping = null } = tryDefinition(connection.row, { change: { mapping: body.mapping }, keyRing, folders });
      return answerOf(await mappingTried(() => tryMapping(patient(call), { connection: { ...connection, mapping }, limit: SAMPLE })));
    },
  }),
  route({
    method: "post",
    path: "/connections/{name}/sync",
    summary: "Ask for a run",
    description:
      "It waits until a worker is free and no other run of the connection is under way. `incremental` reads in full where it has to; `remap` applies a changed mapping to stored accounts without reading.",
    tag,
    access: { permission: "rollcall.connections.run", on: "organisation" },
    params: nameParams,
    body: z.strictObject({
      mode: z.enum(["incremental", "full", "remap"]).default("incremental"),
      planOnly: z.boolean().default(false).describe("Stop with a plan that waits for approval."),
    }),
    example: { mode: "full", planOnly: true },
    status: 202,
    answer: runSchema,
    idempotent: true,
    async handler(call, { params, body }) {
      const connection = await loadConnection(call.sql, call.options.keyRing, params.name);
      return readRun(call.sql, await requestRun(call, { connection, ...body }));
    },
  }),
];

function patient({ ctx }: ApiCall): Context {
  return { ...ctx, signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(WAIT_MS)]) };
}

type Result = z.input<typeof checkSchema>["results"][number];

/** A mapping can only be tried on what can be read. */
async function mappingTried(work: () => ReturnType<typeof tryMapping>): Promise<Result[]> {
  try {
    return (await work()).map(({ samples, ...result }) => ({ ...result, samples: samples.map((sample) => ({ ...sample })) }));
  } catch (error) {
    return [{ name: "mapping", ok: false, message: messageOf(error) }];
  }
}

function answerOf(results: readonly Result[]): z.input<typeof checkSchema> {
  return { ok: results.every(({ ok }) => ok), results: [...results] };
}
