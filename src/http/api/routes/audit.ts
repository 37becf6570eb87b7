import { Readable } from "node:stream";
import { z } from "zod";
import { seenEvents } from "../../../access/audit-view.ts";
import { reachedEvents } from "../../../access/reached-events.ts";
import { EXPORT_FORMATS, exportedText, MEDIA_TYPES } from "../../../audit/export.ts";
import { recordEvent } from "../../../audit/record.ts";
import { FEWEST_DAYS, listRemovals, lockRetention, MOST_DAYS, readRetention, setRetention } from "../../../audit/retention.ts";
import { namesBeginning, searchEvents } from "../../../audit/search.ts";
import { wholeExport } from "../../../audit/whole-export.ts";
import { inTransaction } from "../../../db/database.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { instant, line, moment, reason } from "../schemas.ts";

const eventSchema = z
  .object({
    id: z.int(),
    at: instant,
    name: z.string().describe("`person.joined`, `grant.given`, `plan.held` …"),
    actor: z.string().describe("`person:ID`, `token:NAME`, `connection:NAME`, `cli:USER`, `system`."),
    subjectType: z.string().nullable(),
    subjectId: z.string().nullable(),
    correlationId: z.string().describe("The same for all that one request or run has done."),
    reason: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
    personal: z.unknown().describe("Personal values, before and after; null where there are none, or they are not shown."),
    sealed: z.boolean().describe("There are personal values that are not shown: out of your reach, or erased with the person."),
  })
  .meta({ id: "AuditEvent" });

const filters = {
  name: line(60)
    .refine((prefix) => namesBeginning(prefix).length > 0, "no event's name begins so")
    .optional()
    .describe("Only events whose name begins so: `person.`, `plan.held`."),
  actor: line(200).optional(),
  subjectType: line(40).optional(),
  subjectId: line(300).optional(),
  correlationId: line(200).optional(),
  reason: line(100).optional().describe("A part of the reason, whatever its case."),
  from: moment.optional().describe("From this instant on."),
  to: moment.optional().describe("Before this instant."),
};

const retentionSchema = z
  .object({
    days: z.int().nullable().describe("Null: events are kept for good."),
    version: z.int(),
    changedAt: instant.nullable(),
    changedBy: z.string().nullable(),
  })
  .meta({ id: "AuditRetention" });

const removalSchema = z
  .object({
    id: z.int(),
    removedAt: instant,
    days: z.int(),
    before: instant.describe("Everything that was removed is older."),
    count: z.int(),
    firstId: z.int(),
    lastId: z.int(),
    firstAt: instant,
    lastAt: instant,
    sha256: z.string().describe("Over the removed events as lines of their NDJSON export, by id."),
  })
  .meta({ id: "AuditRemoval" });

const EXPORTED_AT_ONCE = 2000;

export const auditRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/audit",
    summary: "Search the audit trail, newest first",
    description:
      "You see events about people in your reach, and about their grants, tokens, requests and accounts, about units in your reach and what groups hold there; with the permission on the organisation also those about nobody. Personal values are opened where you may see the people themselves (`rollcall.people.view`).",
    tag: "Audit",
    access: { permission: "rollcall.audit.view", on: "anywhere" },
    query: z.strictObject({ ...pageQuery, ...filters }),
    answer: pageOf(eventSchema),
    async handler(call, { query }) {
      const { limit, cursor, ...filter } = query;
      const [after] = placeOf(cursor, z.tuple([z.int()])) ?? [];
      const events = await seenEvents(call, {
        filter,
        within: await reachedEvents(call.sql, await call.reach("rollcall.audit.view")),
        people: await call.reach("rollcall.people.view"),
        keyRing: call.options.keyRing,
        order: "newest",
        after,
        limit: limit + 1,
      });
      return page(events, { limit, place: ({ id }) => [id] });
    },
  }),
  route({
    method: "get",
    path: "/audit/export",
    summary: "The audit trail as a file, oldest first",
    description:
      "Everything that the same search finds up to now, without personal values: what has left could not be erased any more. `syslog` is RFC 5424, a line an event. That it was exported is recorded.",
    tag: "Audit",
    access: { permission: "rollcall.audit.export", on: "anywhere" },
    query: z.strictObject({ format: z.enum(EXPORT_FORMATS), ...filters }),
    sends: "*/*",
    async handler(call, { query }) {
      const { format, ...filter } = query;
      const { upTo, nextPage } = await wholeExport(call.sql, {
        from: filter.from,
        read: (range) => exportedPage(call, { filter, ...range }),
      });
      // Reads go through a pool that only reads; that somebody exported must stand in the trail all the same.
      await inTransaction(call.options.db, call.ctx, (work) =>
        recordEvent(work, { name: "audit.exported", subjectType: "audit", data: { format, upTo } }),
      );
      return {
        special: "stream",
        type: MEDIA_TYPES[format],
        stream: Readable.from(exportedText({ format, nextPage }), { objectMode: false }),
        headers: { "Content-Disposition": `attachment; filename="audit.${format === "syslog" ? "log" : format}"` },
      };
    },
  }),
  route({
    method: "get",
    path: "/audit/retention",
    summary: "How long events are kept",
    description:
      "One number of days for all events; null keeps them for good. `PUT` changes it, and what was removed by it stands at `GET /audit/removals`.",
    tag: "Audit",
    access: { permission: "rollcall.audit.view", on: "organisation" },
    answer: retentionSchema,
    versioned: true,
    handler: (call) => readRetention(call.sql),
  }),
  route({
    method: "put",
    path: "/audit/retention",
    sensitive: true,
    summary: "Set how long events are kept",
    description:
      "What is older is removed once a day, in portions, each with a proof of what went (`/audit/removals`). Nothing brings it back.",
    tag: "Audit",
    access: { permission: "rollcall.audit.retain", on: "organisation" },
    body: z.strictObject({
      days: z.int().min(FEWEST_DAYS).max(MOST_DAYS).nullable().describe("Null: events are kept for good."),
      reason,
    }),
    example: { days: 730, reason: "Two years, as our policy says" },
    answer: retentionSchema,
    versioned: true,
    async handler(call, { body }) {
      const { version } = await lockRetention(call.sql);
      requireVersion({ ifVersion: call.ifVersion, version, what: "How long events are kept" });
      await setRetention(call, body);
      return readRetention(call.sql);
    },
  }),
  route({
    method: "get",
    path: "/audit/removals",
    summary: "Proofs of what was removed, newest first",
    description:
      "When events are older than they are kept, they are removed in one piece. What is left of them stands here: from when to when, how many there were, and their hash, by which an export made before can be proven to hold them all.",
    tag: "Audit",
    access: { permission: "rollcall.audit.view", on: "organisation" },
    query: z.strictObject(pageQuery),
    answer: pageOf(removalSchema),
    async handler(call, { query }) {
      const { limit, cursor } = query;
      const [after] = placeOf(cursor, z.tuple([z.int()])) ?? [];
      return page(await listRemovals(call.sql, { limit: limit + 1, after }), { limit, place: ({ id }) => [id] });
    },
  }),
];

type Filter = { [Key in keyof typeof filters]?: z.output<(typeof filters)[Key]> };

/** Asks anew for each page: who loses the permission or the credential meanwhile gets no more, and the answer breaks off rather than end. */
async function exportedPage(call: ApiCall, { filter, after, upTo }: { filter: Filter; after: number; upTo: number }) {
  await call.requireStanding();
  const reach = await call.require("rollcall.audit.export", { anywhere: true });
  return searchEvents(call.sql, {
    filter,
    within: await reachedEvents(call.sql, reach),
    order: "oldest",
    after,
    upTo,
    limit: EXPORTED_AT_ONCE,
  });
}
