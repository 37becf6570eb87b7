import { z } from "zod";
import { changeGrant } from "../../../access/grant-change.ts";
import { listGrants, readGrant, type GrantLine } from "../../../access/grant-list.ts";
import { tellOfGrant } from "../../../access/grant-notices.ts";
import { judgedByRules } from "../../../access/following-roles.ts";
import { giveGrant, revokeGrant } from "../../../access/grants.ts";
import { refuseGivingOneself, requireMayGive } from "../../../access/giving.ts";
import { keepingAnAdministrator } from "../../../access/last-administrator.ts";
import { findRole } from "../../../access/roles.ts";
import { requireVersion } from "../entity-tag.ts";
import type { Holders } from "../../../access/rules-on-roles.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { flag, idParams, instant, line, moment, reason, uuid } from "../schemas.ts";

export const grantSchema = z
  .object({
    id: z.string(),
    person: z.object({ id: z.string(), userName: z.string(), displayName: z.string().nullable() }).nullable(),
    group: z.object({ id: z.string(), displayName: z.string() }).nullable(),
    role: z.object({ id: z.string(), key: z.string(), name: z.string() }),
    unit: z.object({ id: z.string(), name: z.string(), code: z.string().nullable() }).describe("It covers this unit and all below it."),
    from: instant,
    until: instant.nullable(),
    expiresAfterSeconds: z.int().nullable().describe("Of a group's: so long after a member joined, that member's access ends."),
    source: z.string().describe("manual, rule or request"),
    rule: z.string().nullable(),
    reason: z.string(),
    grantedBy: z.string(),
    state: z.enum(["future", "current", "past"]),
    suspended: z.boolean().describe("Its holder is not active: it gives nothing until they are again."),
    version: z.int(),
  })
  .meta({ id: "Grant" });

const newGrant = z
  .strictObject({
    personId: uuid.optional(),
    groupId: uuid.optional(),
    role: line(100).describe("The role's key."),
    unitId: uuid,
    from: moment.optional().describe("Now when absent or past."),
    until: moment.optional(),
    expiresAfterSeconds: z.int().min(1).max(2_147_483_647).optional(),
    reason,
  })
  .refine(({ personId, groupId }) => (personId === undefined) !== (groupId === undefined), {
    path: ["personId"],
    message: "a grant goes to a person or to a group, one of them",
  });

const GIVE = { permission: "rollcall.grants.give", on: "handler" } as const;

export const grantRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/grants",
    summary: "Who holds which role where",
    description: "Grants on the caller's units and those of people there; one's own and one's team's. The latest change first.",
    tag: "Grants",
    access: { permission: "rollcall.grants.view", on: "anywhere" },
    query: z.strictObject({
      ...pageQuery,
      person: uuid.optional(),
      group: uuid.optional(),
      unit: uuid.optional(),
      below: flag.default(true).describe("With `unit`: grants on units below it, too."),
      role: line(100).optional().describe("The role's key."),
      source: z.enum(["manual", "rule", "request"]).optional(),
      state: z.enum(["future", "current", "past"]).optional(),
    }),
    answer: pageOf(grantSchema),
    async handler(call, { query: { limit, cursor, person, group, unit, ...filters } }) {
      const rows = await listGrants(call.sql, {
        ...filters,
        reach: await call.reach("rollcall.grants.view"),
        at: call.ctx.now(),
        limit: limit + 1,
        after: placeOf(cursor, z.tuple([z.int()]))?.[0],
        personId: person,
        groupId: group,
        unitId: unit,
      });
      return page(rows, { limit, place: ({ version }) => [version] });
    },
  }),
  route({
    method: "post",
    path: "/grants",
    sensitive: true,
    summary: "Give a role to a person or a group",
    description:
      "One gives only what one holds oneself on that unit (who may make roles for the whole organisation, anything), and nothing to oneself. " +
      "Grants may overlap: access lasts as long as any of them. Several at once: POST /bulk.",
    tag: "Grants",
    access: GIVE,
    body: newGrant,
    example: {
      personId: "8e0f7c52-6f0b-4f5e-8b1d-6a2e2f1c9d33",
      role: "rollcall-help-desk",
      unitId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11",
      until: "2027-09-01T00:00:00Z",
      reason: "For the summer",
    },
    status: 201,
    answer: grantSchema,
    idempotent: true,
    async handler(call, { body: { unitId, ...body } }) {
      await call.require("rollcall.grants.give", { unitId });
      if (body.personId !== undefined) await call.require("rollcall.people.view", { personId: body.personId });
      if (body.groupId !== undefined) await call.require("rollcall.groups.view", { anywhere: true });
      await requireGiving(call, { ...body, unitId, until: endOf(call, body) });
      const grantId = await judgedByRules(call, {
        caller: call.caller,
        holders: holdersOf(body),
        change: () => giveGrant(call, { ...body, unit: unitId, source: "manual" }),
      });
      await tellOfGrant(call, { keyRing: call.options.keyRing, grantId });
      return answered(call, grantId);
    },
  }),
  route({
    method: "get",
    path: "/grants/{id}",
    summary: "One grant",
    description:
      "Who holds which role where, from when, until when, why, and from which source. 404 for one that is out of the caller's reach.",
    tag: "Grants",
    access: { permission: "rollcall.grants.view", on: "handler" },
    params: idParams,
    answer: grantSchema,
    versioned: true,
    handler: (call, { params }) => seen(call, params.id),
  }),
  route({
    method: "patch",
    path: "/grants/{id}",
    locks: "administrators",
    sensitive: true,
    summary: "Extend or shorten a grant",
    description:
      "Only the end is changed; another role, unit or beginning is another grant. Needs the right to give this role there (403), and the version that was read (412). One by a rule is changed at its rule, and one that is over is given again (409). To end it now, revoke it.",
    tag: "Grants",
    access: GIVE,
    params: idParams,
    body: z.strictObject({ until: moment.nullable().optional().describe("Null: without an end."), reason }),
    example: { until: "2027-10-01T00:00:00Z", reason: "A month longer" },
    answer: grantSchema,
    versioned: true,
    async handler(call, { params: { id }, body }) {
      const grant = await seen(call, id);
      await call.require("rollcall.grants.give", { unitId: grant.unit.id });
      await requireGiving(call, {
        role: grant.role.key,
        unitId: grant.unit.id,
        personId: grant.person?.id,
        groupId: grant.group?.id,
        until: body.until === undefined ? grant.until : body.until,
      });
      const change = async () => {
        // One after the other here: two of the same version are not both saved.
        requireVersion({ ifVersion: call.ifVersion, version: (await seen(call, id)).version, what: "The grant" });
        await changeGrant(call, { grantId: id, ...body });
      };
      await keepingAnAdministrator(call, change, body.until ? { at: body.until } : {});
      return answered(call, id);
    },
  }),
  route({
    method: "post",
    path: "/grants/{id}/revoke",
    locks: "administrators",
    summary: "Take a grant back, at once",
    description: "One takes only what one could give; one's own, whoever may give there.",
    tag: "Grants",
    access: GIVE,
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "The project is over" },
    status: 204,
    async handler(call, { params: { id }, body }) {
      const { unit, role, person, group } = await seen(call, id);
      await call.require("rollcall.grants.give", { unitId: unit.id });
      if (person === null || person.id !== call.caller.personId)
        await requireMayGive(call.sql, { caller: call.caller, role, unitId: unit.id, at: call.ctx.now() });
      const change = () => revokeGrant(call, { grantId: id, ...body });
      const holders = holdersOf({ personId: person?.id, groupId: group?.id });
      await keepingAnAdministrator(call, () => judgedByRules(call, { caller: call.caller, holders, change }));
      return undefined;
    },
  }),
];

async function requireGiving(
  { sql, caller, ctx }: ApiCall,
  asked: { role: string; unitId: string; personId?: string | undefined; groupId?: string | undefined; until: Date | null },
): Promise<void> {
  const role = await findRole(sql, asked.role);
  const giving = { ...asked, caller, role, at: ctx.now() };
  await refuseGivingOneself(sql, giving);
  await requireMayGive(sql, giving);
}

/** When what is given ends for whoever is in the group by now, or before. */
function endOf(
  { ctx }: ApiCall,
  { until, expiresAfterSeconds: seconds }: { until?: Date | undefined; expiresAfterSeconds?: number | undefined },
) {
  const after = seconds === undefined ? undefined : new Date(ctx.now().getTime() + seconds * 1000);
  return until && after ? (until < after ? until : after) : (until ?? after ?? null);
}

const holdersOf = ({ personId, groupId }: { personId?: string | undefined; groupId?: string | undefined }): Holders => ({
  personIds: personId === undefined ? [] : [personId],
  groupIds: groupId === undefined ? [] : [groupId],
});

/** The grant, if the caller may know of it. */
async function seen(call: ApiCall, grantId: string): Promise<GrantLine> {
  return readGrant(call.sql, { grantId, reach: await call.reach("rollcall.grants.view"), at: call.ctx.now() });
}

/** As who has just changed it sees it, whether or not they may look at others. */
async function answered(call: ApiCall, grantId: string): Promise<GrantLine> {
  const reach = await call.reach("rollcall.grants.give");
  return readGrant(call.sql, { grantId, reach, at: call.ctx.now() });
}
