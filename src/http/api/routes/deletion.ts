import { z } from "zod";
import { refuseLastAdministrator } from "../../../access/last-administrator.ts";
import { personBehind } from "../../../access/policy.ts";
import { requireMayShutOutOrLetIn } from "../../../access/shutting-out.ts";
import { eraseFromUploads } from "../../../connections/erase-from-uploads.ts";
import { erasePerson } from "../../../directory/erasure.ts";
import { erasureStanding, standsInTheWay } from "../../../directory/erasure-standing.ts";
import { AppError } from "../../../errors.ts";
import { route, type Route } from "../route.ts";
import { flag, idParams, instant, reason } from "../schemas.ts";

const TAG = "Personal data";
const access = { permission: "rollcall.people.delete", on: { person: "id" } } as const;

const confirm = z.string().max(300).describe("The person's login.");

const standing = z
  .object({
    userName: z.string().describe("What to confirm with."),
    state: z.string(),
    allowed: z.boolean(),
    because: z
      .array(z.object({ why: z.string(), forcible: z.boolean() }))
      .describe("What stands in the way, and whether `force` overrides it."),
    goes: z.object({
      accounts: z.int(),
      photos: z.int(),
      sessions: z.int(),
      tokens: z.int(),
      planItems: z.int(),
      importRows: z.int(),
      events: z.int().describe("Of the trail: they stay, their personal values go."),
    }),
    stays: z.array(z.string()),
    reports: z.int().describe("People who report to this one: they are left without a manager."),
    listedBy: z.array(z.string()).describe("Connections that still list the person: they bring them back, as somebody new."),
    removedLater: z
      .array(z.object({ target: z.string(), at: instant }))
      .describe("Targets that remove the account later, as their policy says."),
  })
  .meta({ id: "DeletionPreview" });

const STAYS = [
  "An id without a name, so that what was done keeps its doer and its subject.",
  "The audit trail, without what was personal in it.",
  "What other systems say in records of other people: a manager's name, a group's list of members.",
  "Files and recordings outside of the database, and backups.",
];

export const deletionRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/deletion",
    summary: "What deleting a person for good would take, what would stay, and what stands in the way",
    description:
      "Nothing is changed. `DELETE /people/{id}` deletes, confirmed with the `userName` that is told here. Where a connection still lists the person, removing them there comes first, or they come back as somebody new.",
    tag: TAG,
    access,
    params: idParams,
    answer: standing,
    async handler(call, { params }) {
      const found = await erasureStanding(call.sql, params.id);
      const because = standsInTheWay(found);
      const { reports, ...goes } = found.counts;
      return { ...found, allowed: because.length === 0, because, goes, reports, stays: STAYS };
    },
  }),
  route({
    method: "delete",
    path: "/people/{id}",
    locks: "administrators",
    sensitive: true,
    summary: "Delete a person for good, with their personal data",
    description:
      "Irreversible. What confirms it stands in the body; the query takes it, too, as it once did, but ends up in logs of proxies. The person must have been deactivated, and targets told; `force` with a reason overrides that. A connection that still lists the person brings them back as somebody new.",
    tag: TAG,
    access,
    params: idParams,
    body: z
      .strictObject({ confirm, force: z.boolean().default(false), reason: reason.optional().describe("Needed with `force`.") })
      .optional(),
    example: { confirm: "ada@example.com", reason: "Asked for it" },
    query: z.strictObject({
      confirm: confirm.optional().describe("As in the body, which does not end up in logs: send it there."),
      force: flag.default(false),
      reason: reason.optional(),
    }),
    status: 200,
    answer: z.object({ id: z.string(), waitsFor: z.array(z.string()).describe("Targets that are still told.") }),
    async handler(call, { params: { id }, query, body }) {
      const { confirm: confirmed, force, reason: why } = body ?? query;
      if (body && (query.confirm !== undefined || query.reason !== undefined || query.force))
        throw new AppError("invalid", "query: what is in the body is not said in the query, too.", { field: "query" });
      if (confirmed === undefined)
        throw new AppError("invalid", "confirm: is needed, in the body: the person's login.", { field: "confirm" });
      if (personBehind(call.caller) === id)
        throw new AppError("forbidden", "Nobody deletes themselves: ask somebody else.", { field: "person" });
      if (force && why === undefined) throw new AppError("invalid", "reason: is needed with force.", { field: "reason" });
      await requireMayShutOutOrLetIn(call, { caller: call.caller, personId: id });
      await refuseLastAdministrator(call, { personId: id });
      const { keyRing } = call.options;
      await eraseFromUploads(call, { personId: id, keyRing });
      const { waitsFor } = await erasePerson(call, { personId: id, confirm: confirmed, force, reason: why ?? "deleted for good", keyRing });
      return { id, waitsFor };
    },
  }),
];
