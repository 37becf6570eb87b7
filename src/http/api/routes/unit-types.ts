import { z } from "zod";
import { reachedUnits } from "../../../access/policy.ts";
import { addUnitType, listUnitTypes, removeUnitType } from "../../../directory/unit-types.ts";
import { route, type Route } from "../route.ts";
import { line } from "../schemas.ts";

const unitType = z
  .object({
    key: z.string(),
    name: z.string(),
    predefined: z.boolean().describe("Comes with the product, and stays."),
    units: z.int().describe("How many of those in reach are of it."),
  })
  .meta({ id: "UnitType" });

const key = z.string().regex(/^[a-z][a-z-]{0,39}$/, "must be lower-case letters and dashes: branch, cost-centre");
const EDIT = { permission: "rollcall.units.edit", on: "organisation" } as const;

export const unitTypeRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/unit-types",
    summary: "The types that a unit can have",
    description: "Directories may bring units of other types.",
    tag: "Units",
    access: { permission: "rollcall.units.view", on: "anywhere" },
    answer: z.object({ types: z.array(unitType) }),
    async handler(call) {
      const within = reachedUnits(await call.reach("rollcall.units.view"), { unit: "u", from: 1 });
      return { types: await listUnitTypes(call.sql, within) };
    },
  }),
  route({
    method: "post",
    path: "/unit-types",
    summary: "Add a type of units",
    description: "Beside those that there are from the start. A key that is taken is refused (409).",
    tag: "Units",
    access: EDIT,
    body: z.strictObject({ key, name: line(100) }),
    example: { key: "shop", name: "Shop" },
    status: 201,
    answer: unitType,
    idempotent: true,
    async handler(call, { body }) {
      await addUnitType(call, body);
      return { ...body, predefined: false, units: 0 };
    },
  }),
  route({
    method: "delete",
    path: "/unit-types/{key}",
    summary: "Remove a type that no unit is of",
    description: "One that comes with the product stays (403), as does one that units are of (409).",
    tag: "Units",
    access: EDIT,
    params: z.object({ key: z.string().max(100) }),
    status: 204,
    async handler(call, { params }) {
      await removeUnitType(call, params.key);
      return undefined;
    },
  }),
];
