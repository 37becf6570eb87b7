import { z } from "zod";
import { requireMayGiveByRules, watchRules } from "../../../access/indirect-giving.ts";
import { reconcileGroupRules } from "../../../access/group-rules.ts";
import { keepingAnAdministrator } from "../../../access/last-administrator.ts";
import { changeUnit, peopleOfNamed } from "../../../access/named-in-conditions.ts";
import { reachedUnits } from "../../../access/policy.ts";
import { deleteEmptyUnit } from "../../../access/unit-merging.ts";
import { createUnit, moveUnit } from "../../../directory/units.ts";
import { listUnits, readUnit } from "../../../directory/unit-list.ts";
import { refuseOriginsUnit } from "../../../directory/unit-origin.ts";
import { readUnitTree } from "../../../directory/unit-tree.ts";
import { requireUnitType } from "../../../directory/unit-types.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { peopleAnswer, peoplePage, peopleQuery } from "../people/list.ts";
import { route, type Route } from "../route.ts";
import { idParams, instant, line, reason, uuid } from "../schemas.ts";
import { mergeGiving, unchangedUnit } from "../unit-merging.ts";
import { requireMayAddAtTop, requireMayMove, requireSteersOrganisation } from "../unit-moving.ts";
import { takeInWaiting } from "../unit-waiting.ts";

export const unitSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    code: z.string().nullable().describe("Unique; by it rules, files and mappings name the unit."),
    type: z.string(),
    parentId: z.string().nullable(),
    origin: z.string().nullable().describe("The connection that masters it; null = made here."),
    children: z.int(),
    people: z.int().describe("Who belongs to it directly."),
    version: z.int(),
    createdAt: instant,
    modifiedAt: instant,
  })
  .meta({ id: "Unit" });

const treeNode = z
  .object({
    id: z.string(),
    name: z.string(),
    code: z.string().nullable(),
    type: z.string(),
    parentId: z.string().nullable(),
    people: z.int().describe("Who belongs to it directly."),
    get units() {
      return z.array(treeNode);
    },
  })
  .meta({ id: "UnitNode" });

const unitFields = z.strictObject({
  name: line(200),
  code: line(100).nullable(),
  type: z.string().regex(/^[a-z][a-z-]{0,39}$/, "must be lower-case letters and dashes: organization, department, location, team"),
  parentId: uuid.nullable(),
});
const newUnit = unitFields.extend({
  code: unitFields.shape.code.default(null),
  type: unitFields.shape.type.default("department"),
  parentId: unitFields.shape.parentId.default(null),
});
// A default in a change would set what nobody named.
const unitChange = unitFields.partial();

export const unitRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/units",
    summary: "The units in the caller's reach, by name",
    description:
      "A flat list of pages; `GET /units/tree` has them as a tree. Each tells its parent, so that a client can build it level by level with `parent`.",
    tag: "Units",
    access: { permission: "rollcall.units.view", on: "anywhere" },
    query: z.strictObject({
      ...pageQuery,
      parent: uuid.optional().describe("Only directly below this one."),
      q: line(100).optional().describe("Part of name or code."),
    }),
    answer: pageOf(unitSchema),
    async handler(call, { query }) {
      const { limit, cursor, parent, q } = query;
      const reach = await call.reach("rollcall.units.view");
      const after = placeOf(cursor, z.tuple([z.string(), z.string()]));
      const rows = await listUnits(call.sql, {
        within: reachedUnits(reach, { unit: "u", from: 6 }),
        limit: limit + 1,
        after,
        parent,
        text: q,
      });
      return page(rows, { limit, place: ({ name, id }) => [name, id] });
    },
  }),
  route({
    method: "post",
    path: "/units",
    summary: "Add a unit",
    description:
      "Needs the permission on the parent. At the top of the tree only a service that is narrowed to no unit adds one: nobody else would see it there (409).",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: "handler" },
    body: newUnit,
    example: { name: "Sales", code: "SALES", type: "department", parentId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11" },
    status: 201,
    answer: unitSchema,
    idempotent: true,
    async handler(call, { body }) {
      if (body.parentId === null) await requireMayAddAtTop(call, body);
      else await call.require("rollcall.units.edit", { unitId: body.parentId });
      await requireUnitType(call.sql, body.type);
      const id = await createUnit(call, body);
      await takeInWaiting(call, id);
      const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), unitId: id });
      await reconcileGroupRules(call, { unitIds: [id] });
      await requireMayGiveByRules(call.sql, watch, { unitId: id });
      return readUnit(call.sql, id);
    },
  }),
  route({
    method: "get",
    path: "/units/tree",
    summary: "The units in the caller's reach, one below the other",
    description: "At most 5,000 in one answer; a bigger tree is read level by level, with `root` and `depth`.",
    tag: "Units",
    access: { permission: "rollcall.units.view", on: "anywhere" },
    query: z.strictObject({
      root: uuid.optional().describe("Only this one and what stands below it."),
      depth: z.coerce.number().int().min(0).max(100).optional().describe("How many levels below the top ones."),
    }),
    answer: z.object({ units: z.array(treeNode) }),
    async handler(call, { query: { root, depth } }) {
      if (root !== undefined) await call.require("rollcall.units.view", { unitId: root });
      const within = reachedUnits(await call.reach("rollcall.units.view"), { unit: "u", from: 4 });
      return { units: await readUnitTree(call.sql, { within, root, depth }) };
    },
  }),
  route({
    method: "get",
    path: "/units/{id}",
    summary: "One unit",
    description:
      "Its place, type and code, who masters it, and how many units and people are directly in it. The ETag is what a change needs.",
    tag: "Units",
    access: { permission: "rollcall.units.view", on: { unit: "id" } },
    params: idParams,
    answer: unitSchema,
    versioned: true,
    handler: (call, { params }) => readUnit(call.sql, params.id),
  }),
  route({
    method: "patch",
    path: "/units/{id}",
    locks: "administrators",
    summary: "Rename a unit, change its code or type, or move it",
    description: "A move needs the permission on the new parent too.",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: { unit: "id" } },
    params: idParams,
    body: unitChange,
    example: { name: "Sales north", parentId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11" },
    answer: unitSchema,
    versioned: true,
    async handler(call, { params, body }) {
      const unit = await unchangedUnit(call, params.id);
      const { parentId, name, code, type } = body;
      await refuseOriginsUnit(call.sql, unit.id);
      if (type !== undefined && type !== unit.type) await requireUnitType(call.sql, type);
      const moves = parentId !== undefined && parentId !== unit.parentId;
      await requireSteersOrganisation(call, { from: unit, to: { type: type ?? unit.type, parentId: moves ? parentId : unit.parentId } });
      if (moves) await requireMayMove(call, { unit, parentId });
      await keepingAnAdministrator(call, async () => {
        await unchangedUnit(call, unit.id);
        const personIds = await peopleOfNamed(call, { unitIds: [unit.id] });
        const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), unitId: unit.id, personIds });
        await changeUnit(call, {
          unitId: unit.id,
          ...(name === undefined ? {} : { name }),
          ...(code === undefined ? {} : { code }),
          ...(type === undefined ? {} : { type }),
        });
        if (moves) await moveUnit(call, { unitId: unit.id, parentId });
        if (code !== undefined && code !== unit.code) await reconcileGroupRules(call, { unitIds: [unit.id] });
        await requireMayGiveByRules(call.sql, watch, { unitId: unit.id, personIds });
        if (code !== undefined && code !== unit.code) await takeInWaiting(call, unit.id);
      });
      return readUnit(call.sql, unit.id);
    },
  }),
  route({
    method: "delete",
    path: "/units/{id}",
    locks: "rules",
    summary: "Delete a unit",
    description: "Refused while it holds people, grants, rules, requests or other units, unless `moveTo` says into which unit they go.",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: { unit: "id" } },
    params: idParams,
    body: z.strictObject({ moveTo: uuid.optional(), reason }),
    example: { moveTo: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11", reason: "Closed" },
    status: 204,
    versioned: true,
    async handler(call, { params, body: { moveTo, reason: why } }) {
      const unit = await unchangedUnit(call, params.id);
      if (moveTo === undefined)
        await keepingAnAdministrator(call, async () => {
          await unchangedUnit(call, unit.id);
          await deleteEmptyUnit(call, { unitId: unit.id, reason: why });
        });
      else await mergeGiving(call, { unitId: unit.id, into: moveTo, reason: why });
      return undefined;
    },
  }),
  route({
    method: "post",
    path: "/units/{id}/merge",
    locks: "rules",
    summary: "Put everything that a unit holds into another, and delete it",
    description:
      "People, grants, rules, requests and units below go there; what was so stays in the past. Needs the permission on both, " +
      "and the right to give there every role that comes along.",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: { unit: "id" } },
    params: idParams,
    body: z.strictObject({ into: uuid, reason }),
    example: { into: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11", reason: "Both offices share a floor now" },
    answer: unitSchema,
    versioned: true,
    async handler(call, { params, body: { into, reason: why } }) {
      const unit = await unchangedUnit(call, params.id);
      await mergeGiving(call, { unitId: unit.id, into, reason: why });
      return readUnit(call.sql, into);
    },
  }),
  route({
    method: "get",
    path: "/units/{id}/people",
    summary: "The people in a unit or below it",
    description: "As `GET /people?unit=`: only those whom the caller sees, with the same filters and orders.",
    tag: "Units",
    access: { permission: "rollcall.units.view", on: { unit: "id" } },
    params: idParams,
    query: peopleQuery.omit({ unit: true }),
    answer: peopleAnswer,
    handler: (call, { params, query }) => peoplePage(call, { ...query, unit: params.id }),
  }),
];
