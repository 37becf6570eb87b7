import { Readable } from "node:stream";
import { z } from "zod";
import { requireAssignee } from "../../../auth/risk/assignee.ts";
import { INCIDENT_KINDS } from "../../../auth/risk/finding.ts";
import { attemptsOfIncident } from "../../../auth/risk/incident-attempts.ts";
import { addNote, changeIncident, closeIncident, lockIncident, reopenIncident } from "../../../auth/risk/incident-changes.ts";
import { exportedIncidents } from "../../../auth/risk/incident-export.ts";
import { evidenceOf, listIncidents, notesOf, readIncident } from "../../../auth/risk/incident-list.ts";
import { requireIncident } from "../../../auth/risk/incident-reach.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, line, reason, uuid } from "../schemas.ts";

const somebody = z.object({ id: z.string(), userName: z.string(), displayName: z.string().nullable() });
const kinds = z.enum(INCIDENT_KINDS);
const states = z.enum(["open", "investigating", "closed"]);
const outcomes = z.enum(["resolved", "false_alarm"]);

const incidentSchema = z
  .object({
    id: z.string(),
    kind: kinds,
    subjectType: z.enum(["person", "network", "token", "organisation"]),
    subjectId: z.string().describe("A person's or token's id, or a network."),
    person: somebody.nullable().describe("Whom it is about, or whose token."),
    state: states,
    outcome: outcomes.nullable(),
    assignee: somebody.nullable(),
    response: z.enum(["suspended", "sessions_ended"]).nullable().describe("What was done at once; closing lifts a suspension."),
    openedAt: instant,
    lastAt: instant.describe("When it was seen last."),
    reopened: z.int().describe("How often it happened again after it was closed."),
    closedAt: instant.nullable(),
    closedBy: z.string().nullable(),
    version: z.int(),
  })
  .meta({ id: "Incident" });

const fact = z.union([z.number(), z.string(), z.null(), z.array(z.string())]);
const detailSchema = incidentSchema
  .extend({
    evidence: z
      .array(z.object({ firstAt: instant, lastAt: instant, facts: z.record(z.string(), fact) }))
      .describe("What was counted, an entry for each hour in which it was seen, the last one first."),
    notes: z.array(z.object({ id: z.string(), at: instant, author: z.string(), text: z.string() })),
  })
  .meta({ id: "IncidentDetail" });

const attemptSchema = z
  .object({
    id: z.int(),
    at: instant,
    kind: z.enum(["password", "challenge", "second_factor", "federated", "link", "token", "step_up"]),
    outcome: z.enum(["ok", "failed", "refused"]).describe("refused: what was given is right, and the person may not come in."),
    personId: z.string().nullable().describe("Null where nobody is known by what was typed."),
    address: z.string().nullable(),
    network: z.string().nullable(),
    userAgent: z.string().nullable().describe("Tells browsers apart; says nothing else."),
    why: z.string().nullable(),
  })
  .meta({ id: "SignInAttempt" });

const filters = {
  state: states.optional(),
  kind: kinds.optional(),
  personId: uuid.optional().describe("About this person, or a token of theirs."),
  assigneeId: uuid.optional(),
};

const TAG = "Incidents";
const VIEW = { permission: "rollcall.incidents.view", on: "handler" } as const;
const EDIT = { permission: "rollcall.incidents.edit", on: "handler" } as const;

export const incidentRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/incidents",
    summary: "Patterns that look like somebody trying to get in, the one seen last first",
    description: "Those about people in the caller's reach; those about networks, services and the organisation by the organisation.",
    tag: TAG,
    access: { permission: "rollcall.incidents.view", on: "anywhere" },
    query: z.strictObject({ ...pageQuery, ...filters }),
    answer: pageOf(incidentSchema),
    async handler(call, { query: { limit, cursor, ...filter } }) {
      const reach = await call.reach("rollcall.incidents.view");
      const after = placeOf(cursor, z.tuple([z.iso.datetime(), z.uuid()]));
      const rows = await listIncidents(call.sql, { reach, limit: limit + 1, after, ...filter });
      return page(rows, { limit, place: ({ lastAt, id }) => [lastAt.toISOString(), id] });
    },
  }),
  route({
    method: "get",
    path: "/incidents/export",
    summary: "Incidents with evidence and notes, a line of JSON each",
    description:
      "All that meet the filters in the caller's reach, streamed as they are read: for a case file, or another system. The filters are those of `GET /incidents`.",
    tag: TAG,
    access: { permission: "rollcall.incidents.view", on: "anywhere" },
    query: z.strictObject(filters),
    sends: "application/x-ndjson",
    async handler(call, { query }) {
      const reachNow = async () => {
        await call.requireStanding();
        return call.require("rollcall.incidents.view", { anywhere: true });
      };
      return {
        special: "stream",
        type: "application/x-ndjson; charset=utf-8",
        stream: Readable.from(exportedIncidents(call.options.db.readPool, { reachNow, ...query }), { objectMode: false }),
        headers: { "Content-Disposition": 'attachment; filename="incidents.ndjson"' },
      };
    },
  }),
  route({
    method: "get",
    path: "/incidents/{id}",
    summary: "One incident with its evidence and notes",
    description: "What was noticed, about whom, with the events that it rests on, and everything that was written down about it since.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    answer: detailSchema,
    versioned: true,
    async handler(call, { params: { id } }) {
      await seen(call, id);
      return detail(call, id);
    },
  }),
  route({
    method: "get",
    path: "/incidents/{id}/attempts",
    summary: "The attempts that it is about, the last one first",
    description: "As long as they are kept. What was typed as a name, or as a secret, is never kept.",
    tag: TAG,
    access: VIEW,
    params: idParams,
    query: z.strictObject(pageQuery),
    answer: pageOf(attemptSchema),
    async handler(call, { params: { id }, query: { limit, cursor } }) {
      await seen(call, id);
      const place = placeOf(cursor, z.tuple([z.int().min(0)]));
      const rows = await attemptsOfIncident(call.sql, { incidentId: id, limit: limit + 1, before: place?.[0] });
      return page(rows, { limit, place: (last) => [last.id] });
    },
  }),
  route({
    method: "patch",
    path: "/incidents/{id}",
    summary: "Say who looks into it, and whether somebody does",
    description:
      "Who is named must be somebody who may see it, and whom it is not about (422). `investigating` and `open` only say whether somebody is at it; `POST /incidents/{id}/close` ends it. Needs the version that was read (412).",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({
      assigneeId: uuid.nullable().optional().describe("Somebody who may see it; null for nobody."),
      state: z.enum(["open", "investigating"]).optional(),
    }),
    example: { assigneeId: "8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33", state: "investigating" },
    answer: detailSchema,
    versioned: true,
    async handler(call, { params: { id }, body }) {
      const incident = await edited(call, id);
      requireVersion({ ifVersion: call.ifVersion, version: incident.version, what: "The incident" });
      if (body.assigneeId) await requireAssignee(call.sql, { personId: body.assigneeId, incident, at: call.ctx.now() });
      await changeIncident(call, { incident, ...body });
      return detail(call, id);
    },
  }),
  route({
    method: "post",
    path: "/incidents/{id}/notes",
    summary: "Write something down about it",
    description:
      "Notes stay as they were written, with author and time; they can't be changed or removed. Write no secrets into them: everybody who sees the incident reads them.",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ text: line(2000) }),
    example: { text: "Called her: it was her, on holiday." },
    status: 201,
    answer: detailSchema,
    idempotent: true,
    async handler(call, { params: { id }, body: { text } }) {
      await addNote(call, { incident: await edited(call, id), text });
      return detail(call, id);
    },
  }),
  route({
    method: "post",
    path: "/incidents/{id}/close",
    summary: "Close it: it is resolved, or was a false alarm",
    description: "Lifts the suspension that it made. What happened until now does not open it again; what happens from now on does.",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ outcome: outcomes, reason }),
    example: { outcome: "false_alarm", reason: "A new telephone" },
    answer: detailSchema,
    async handler(call, { params: { id }, body }) {
      await closeIncident(call, { incident: await edited(call, id), ...body });
      return detail(call, id);
    },
  }),
  route({
    method: "post",
    path: "/incidents/{id}/reopen",
    summary: "Open it again",
    description:
      "One that was closed too early. What was done when it was closed stays done. Refused (409) while it is open, or another of the same kind about the same is.",
    tag: TAG,
    access: EDIT,
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "It goes on from another network" },
    answer: detailSchema,
    async handler(call, { params: { id }, body: { reason: why } }) {
      await reopenIncident(call, { incident: await edited(call, id), reason: why });
      return detail(call, id);
    },
  }),
];

async function seen(call: ApiCall, id: string) {
  const view = await call.reach("rollcall.incidents.view");
  await requireIncident(call.sql, { id, view, caller: call.caller });
}

/** The incident, locked, of who may change it. */
async function edited(call: ApiCall, id: string) {
  const view = await call.reach("rollcall.incidents.view");
  const edit = await call.reach("rollcall.incidents.edit");
  await requireIncident(call.sql, { id, view, edit, caller: call.caller });
  return lockIncident(call, id);
}

async function detail(call: ApiCall, id: string) {
  return { ...(await readIncident(call.sql, id)), evidence: await evidenceOf(call.sql, id), notes: await notesOf(call.sql, id) };
}
