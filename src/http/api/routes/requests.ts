import { z } from "zod";
import { requireMayGive } from "../../../access/giving.ts";
import { OUT_OF_REACH, personBehind, reaches, refused } from "../../../access/policy.ts";
import { listRequests, readRequest, type RequestLine } from "../../../access/request-list.ts";
import { tellOfGrant } from "../../../access/grant-notices.ts";
import { judgedByRules } from "../../../access/following-roles.ts";
import { approveRequest, makeRequest, refuseRequest, requestedAccess, withdrawRequest } from "../../../access/requests.ts";
import { AppError } from "../../../errors.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, line, moment, reason, uuid } from "../schemas.ts";

const states = z.enum(["pending", "approved", "refused", "withdrawn", "lapsed"]);
const somebody = z.object({ id: z.string(), userName: z.string(), displayName: z.string().nullable() });

const requestSchema = z
  .object({
    id: z.string(),
    person: somebody.describe("For whom."),
    requestedBy: somebody,
    role: z.object({ id: z.string(), key: z.string(), name: z.string() }),
    unit: z.object({ id: z.string(), name: z.string(), code: z.string().nullable() }),
    from: instant.nullable(),
    until: instant.nullable(),
    reason: z.string(),
    state: states,
    requestedAt: instant,
    lapsesAt: instant.describe("Undecided until then, it is over."),
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    decisionReason: z.string().nullable(),
    grantId: z.string().nullable().describe("What it became."),
    version: z.int(),
  })
  .meta({ id: "AccessRequest" });

const TAG = "Access requests";
// Everybody has it for themselves, managers for their team; the others hold it on a unit of the person.
const ASK = { permission: "rollcall.people.edit", on: "handler" } as const;
const DECIDE = { permission: "rollcall.requests.decide", on: "handler" } as const;
const decision = z.strictObject({ reason });

export const requestRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/requests",
    summary: "Requests for access: one's own, and those that one may decide",
    description:
      "Newest first. People see what they asked for and what was asked for them; who decides sees what waits on the units where they may.",
    tag: TAG,
    access: { permission: "rollcall.people.view", on: "anywhere" },
    query: z.strictObject({
      ...pageQuery,
      view: z
        .enum(["own", "to-decide", "all"])
        .default("all")
        .describe("own: made by or for oneself; to-decide: waiting for a decision that one may take."),
      state: states.optional(),
    }),
    answer: pageOf(requestSchema),
    async handler(call, { query: { limit, cursor, view, state } }) {
      const rows = await listRequests(call.sql, {
        at: call.ctx.now(),
        personId: call.caller.personId,
        deciding: await call.reach("rollcall.requests.decide"),
        view,
        state,
        limit: limit + 1,
        after: placeOf(cursor, z.tuple([z.iso.datetime(), z.uuid()])),
      });
      return page(rows, { limit, place: ({ requestedAt, id }) => [requestedAt.toISOString(), id] });
    },
  }),
  route({
    method: "post",
    path: "/requests",
    summary: "Ask for a role, for oneself or for somebody who reports to one",
    description: "Nothing is given before somebody else approves. Undecided requests lapse after 14 days.",
    tag: TAG,
    access: ASK,
    body: z.strictObject({
      personId: uuid.optional().describe("For whom; oneself when absent."),
      role: line(100).describe("The role's key."),
      unitId: uuid,
      from: moment.optional(),
      until: moment.optional(),
      reason,
    }),
    example: {
      personId: "8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33",
      role: "register-only-viewer",
      unitId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11",
      until: "2027-09-01T00:00:00Z",
      reason: "Covers for Ada",
    },
    status: 201,
    answer: requestSchema,
    idempotent: true,
    async handler(call, { body }) {
      const requestedBy = call.caller.personId;
      if (requestedBy === null)
        throw new AppError("forbidden", "A request is made by a person; a service gives roles itself, or not.", { field: "personId" });
      const personId = body.personId ?? requestedBy;
      await call.require("rollcall.people.edit", { personId });
      return answered(call, await makeRequest(call, { ...body, personId, requestedBy }));
    },
  }),
  route({
    method: "get",
    path: "/requests/{id}",
    summary: "One request",
    description:
      "With what was decided, by whom and why, and the grant that came of it. 404 for who neither asked, nor is asked for, nor decides there.",
    tag: TAG,
    access: DECIDE,
    params: idParams,
    answer: requestSchema,
    versioned: true,
    async handler(call, { params }) {
      await seen(call, params.id);
      return answered(call, params.id);
    },
  }),
  route({
    method: "post",
    path: "/requests/{id}/approve",
    sensitive: true,
    summary: "Give what was asked for",
    description:
      "By who may decide there and may give the role, and neither asked for it nor gets it. For the time that was asked for, or a shorter one.",
    tag: TAG,
    access: DECIDE,
    params: idParams,
    body: decision.extend({ until: moment.optional().describe("An earlier end than was asked for.") }),
    example: { until: "2027-09-01T00:00:00Z", reason: "For the summer, as asked" },
    answer: requestSchema,
    async handler(call, { params: { id }, body }) {
      await requireDeciding(call, id);
      const { role, unit, person } = await answered(call, id);
      await requireMayGive(call.sql, { caller: call.caller, role, unitId: unit.id, at: call.ctx.now() });
      const grantId = await judgedByRules(call, {
        caller: call.caller,
        holders: { personIds: [person.id], groupIds: [] },
        change: () => approveRequest(call, { requestId: id, ...body }),
      });
      await tellOfGrant(call, { keyRing: call.options.keyRing, grantId });
      return answered(call, id);
    },
  }),
  route({
    method: "post",
    path: "/requests/{id}/refuse",
    summary: "Refuse what was asked for",
    description:
      "The reason is told to who asked. Nobody decides about their own request (403); one that is decided already stays so (409).",
    tag: TAG,
    access: DECIDE,
    params: idParams,
    body: decision,
    example: { reason: "The viewer role is enough for this" },
    answer: requestSchema,
    async handler(call, { params: { id }, body }) {
      await requireDeciding(call, id);
      await refuseRequest(call, { requestId: id, ...body });
      return answered(call, id);
    },
  }),
  route({
    method: "post",
    path: "/requests/{id}/withdraw",
    summary: "Take back what one asked for",
    description: "By who asked, or for whom it was asked (403 for others: they refuse it). One that is decided stays so (409).",
    tag: TAG,
    access: DECIDE,
    params: idParams,
    body: decision,
    example: { reason: "Somebody else does it" },
    answer: requestSchema,
    async handler(call, { params: { id }, body }) {
      const { own } = await seen(call, id);
      if (!own)
        throw new AppError("forbidden", "Only who asked, or for whom it was asked, takes a request back; refuse it.", { field: "request" });
      if ((await call.reach(ASK.permission)).self === null) throw refused(ASK.permission);
      await withdrawRequest(call, { requestId: id, ...body });
      return answered(call, id);
    },
  }),
];

/**
 * Whether one asked for it or gets it, whether it is one's own to see and whether one may decide on its unit. What a credential is narrowed
 * by is asked for what comes with being that person, and a service comes by none of it. Throws `not_found` when neither.
 */
async function seen(call: ApiCall, id: string): Promise<{ involved: boolean; own: boolean; deciding: boolean }> {
  const reach = await call.reach("rollcall.requests.decide");
  const request = await requestedAccess(call.sql, id);
  const personId = personBehind(call.caller);
  const involved = request !== undefined && personId !== null && [request.personId, request.requestedBy].includes(personId);
  const own = involved && (await call.reach("rollcall.people.view")).self !== null;
  const deciding = request !== undefined && (await reaches(call.sql, { reach, thing: { unitId: request.unitId } }));
  if (!own && !deciding) throw new AppError("not_found", `There is no request ${id}.`, { field: "request", cause: OUT_OF_REACH });
  return { involved, own, deciding };
}

/** Nobody decides on what they asked for or would get. Throws `forbidden`, or `not_found` for what the caller may not know of. */
async function requireDeciding(call: ApiCall, id: string): Promise<void> {
  const { involved, deciding } = await seen(call, id);
  if (involved) throw new AppError("forbidden", "Somebody else has to decide: you asked for this, or it is for you.", { field: "request" });
  if (!deciding)
    throw new AppError("forbidden", "This needs the permission rollcall.requests.decide here.", { field: "rollcall.requests.decide" });
}

function answered(call: ApiCall, id: string): Promise<RequestLine> {
  return readRequest(call.sql, { id, at: call.ctx.now() });
}
