import { z } from "zod";
import { explainAccess } from "../../../access/explain.ts";
import { knownUnit } from "../../../access/explain-reach.ts";
import { listHeldAccess, listHeldRoles } from "../../../access/history.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { explanation } from "../explanation.ts";
import { idParams, instant, line, moment, uuid } from "../schemas.ts";
import { toldConditions } from "../told-conditions.ts";

const asOf = {
  at: moment.optional().describe("What was so, or will be so as things stand, at this instant; now when absent."),
  knownAt: moment.optional().describe("As it was believed at this instant; as it is believed now when absent."),
};
const permission = line(200).describe("`module.resource.action`");
const narrowed = { ...asOf, unit: uuid.optional(), permission: permission.optional() };

const heldAccess = z
  .object({
    unitId: z.string(),
    unit: z.string(),
    unitCode: z.string().nullable(),
    permission: z.string(),
    derivations: z.int().describe("By how many ways."),
    until: instant.nullable().describe("When the last of them ends by itself; null = never."),
  })
  .meta({ id: "HeldAccess" });

const heldRole = z
  .object({
    grantId: z.string(),
    source: z.string().describe("manual, rule or request"),
    unitId: z.string(),
    unit: z.string(),
    unitCode: z.string().nullable(),
    role: z.string().describe("The role's key."),
    roleName: z.string(),
    groupId: z.string().nullable().describe("The group that holds the grant; null when it is the person's own."),
    group: z.string().nullable(),
    ruleId: z.string().nullable(),
    rule: z.string().nullable(),
    units: z.int().describe("Units that it covers, the granted one included."),
    permissions: z.int(),
    until: instant.nullable(),
  })
  .meta({ id: "HeldRole" });

export const accessRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/access",
    summary: "What a person may do: permission by permission, unit by unit, at any instant",
    description: "`at` is when it was so, `knownAt` when it was believed: both together say what was known then of that instant.",
    tag: "Access",
    access: { permission: "rollcall.access.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ ...pageQuery, ...narrowed }),
    answer: pageOf(heldAccess),
    async handler({ ctx, sql }, { params, query: { limit, cursor, at, knownAt, unit, permission: only } }) {
      const after = placeOf(cursor, z.tuple([z.string(), z.uuid()]));
      const question = { personId: params.id, at: at ?? ctx.now(), knownAt, unitId: unit, permission: only };
      const rows = await listHeldAccess(sql, { ...question, limit: limit + 1, after });
      return page(rows, { limit, place: (last) => [last.permission, last.unitId] });
    },
  }),
  route({
    method: "get",
    path: "/people/{id}/access/roles",
    summary: "The same by unit, role and group: what was granted, and how much follows from it",
    description:
      "One line for each grant that gives the person something at that instant, by themselves or through a group; `GET /people/{id}/access` says the permissions one by one. Empty for somebody without access. Answers for any instant that is past, as `/access` does.",
    tag: "Access",
    access: { permission: "rollcall.access.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ ...pageQuery, ...narrowed }),
    answer: pageOf(heldRole),
    async handler({ ctx, sql }, { params, query: { limit, cursor, at, knownAt, unit, permission: only } }) {
      const after = placeOf(cursor, z.tuple([z.uuid(), z.uuid()]));
      const question = { personId: params.id, at: at ?? ctx.now(), knownAt, unitId: unit, permission: only };
      const rows = await listHeldRoles(sql, { ...question, limit: limit + 1, after });
      return page(rows, { limit, place: ({ grantId, groupId }) => [grantId, groupId ?? grantId] });
    },
  }),
  route({
    method: "get",
    path: "/people/{id}/explain",
    summary: "Why a person may or may not do something on a unit, and what would end it",
    description:
      "Whoever asks about themselves or their team is told of the person's own ways only; groups and rules by which others have it are shown to whom the permission covers the unit.",
    tag: "Access",
    access: { permission: "rollcall.access.view", on: { person: "id" } },
    params: idParams,
    query: z.strictObject({ ...asOf, permission, unit: line(200).describe("Id or code.") }),
    answer: explanation,
    async handler(call, { params: { id: personId }, query: { at = call.ctx.now(), knownAt, unit, permission: asked } }) {
      const reach = await call.reach("rollcall.access.view");
      const { unitId, administered } = await knownUnit(call.sql, { key: unit, reach, personId, at, knownAt });
      const told = await explainAccess(call.sql, { personId, permission: asked, unitId, at, knownAt, otherWays: administered });
      const derivations = await toldConditions(call, { personId, derivations: told.derivations });
      return { ...told, derivations, at, knownAt: knownAt ?? null, permission: asked, unitId };
    },
  }),
];
