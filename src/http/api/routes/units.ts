import { z } from "zod";
import { reachedUnits } from "../../../access/policy.ts";
import { createUnit, findUnit, moveUnit, updateUnit } from "../../../directory/units.ts";
import { listUnits, readUnit } from "../../../directory/unit-list.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { idParams, instant, line, uuid } from "../schemas.ts";

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
    description: "Under a parent this needs the permission there; at the top of the tree, on the organisation.",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: "handler" },
    body: newUnit,
    status: 201,
    answer: unitSchema,
    idempotent: true,
    async handler(call, { body }) {
      await call.require("rollcall.units.edit", body.parentId === null ? { organisation: true } : { unitId: body.parentId });
      return readUnit(call.sql, await createUnit(call, body));
    },
  }),
  route({
    method: "get",
    path: "/units/{id}",
    summary: "One unit",
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
    summary: "Rename a unit, change its code or type, or move it",
    description: "A move needs the permission on the new parent too.",
    tag: "Units",
    access: { permission: "rollcall.units.edit", on: { unit: "id" } },
    params: idParams,
    body: unitChange,
    answer: unitSchema,
    versioned: true,
    async handler(call, { params, body }) {
      const unit = await findUnit(call.sql, params.id);
      requireVersion({ ifVersion: call.ifVersion, version: unit.version, what: `The unit ${unit.name}` });
      const { parentId, name, code, type } = body;
      await updateUnit(call, {
        unitId: unit.id,
        ...(name === undefined ? {} : { name }),
        ...(code === undefined ? {} : { code }),
        ...(type === undefined ? {} : { type }),
      });
      if (parentId !== undefined && parentId !== unit.parentId) {
        await call.require("rollcall.units.edit", parentId === null ? { organisation: true } : { unitId: parentId });
        await moveUnit(call, { unitId: unit.id, parentId });
      }
      return readUnit(call.sql, unit.id);
    },
  }),
];
