import { z } from "zod";
import { requireHoldsAll } from "../../../access/taking-over.ts";
import { factorsOf, resetFactors } from "../../../auth/factors/factors.ts";
import { FACTOR_KINDS } from "../../../auth/factors/kinds.ts";
import { factorRequirementsOf } from "../../../auth/factors/needed.ts";
import { recoveryCodesLeft } from "../../../auth/factors/recovery-codes.ts";
import { liftRequirement, listRequirements, readRequirement, requireFactor } from "../../../auth/factors/requirements.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type Route } from "../route.ts";
import { idParams, instant, reason, uuid } from "../schemas.ts";

const TAG = "Second factors";
const EDIT = "rollcall.authentication.edit";
const requirementKind = z.enum(["role", "unit", "person"]);

const personFactors = z
  .object({
    factors: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(FACTOR_KINDS),
        label: z.string().describe("What the person calls it; of a number or an address as much as tells it apart."),
        createdAt: instant,
        lastUsedAt: instant.nullable(),
      }),
    ),
    recoveryCodesLeft: z.int(),
    needed: z.boolean().describe("Whether the person must have one. Whoever has none enrols one at the next sign-in."),
    because: z.array(z.object({ id: z.string(), kind: requirementKind })).describe("The requirements that say so."),
  })
  .meta({ id: "PersonFactors" });

const requirementSchema = z
  .object({
    id: z.string(),
    kind: requirementKind,
    subjectId: z.string().describe("Of the role, the unit or the person."),
    name: z.string(),
    reason: z.string(),
    createdAt: instant,
    createdBy: z.string(),
  })
  .meta({ id: "FactorRequirement" });

export const factorRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/factors",
    summary: "A person's second factors, and whether one is needed",
    description:
      "Kinds, names and when each was last used: never a secret. `because` names each requirement that the person falls under; who needs a factor and has none sets one up at the next sign-in.",
    tag: TAG,
    access: { permission: "rollcall.credentials.view", on: { person: "id" } },
    params: idParams,
    answer: personFactors,
    async handler({ sql, ctx }, { params: { id: personId } }) {
      const because = await factorRequirementsOf(sql, { personId, at: ctx.now() });
      return {
        factors: await factorsOf(sql, personId),
        recoveryCodesLeft: await recoveryCodesLeft(sql, personId),
        needed: because.length > 0,
        because,
      };
    },
  }),
  route({
    method: "post",
    path: "/people/{id}/factors/reset",
    sensitive: true,
    summary: "Take all of a person's second factors and recovery codes away",
    description:
      "For who has lost them. The person is told. Needs everything that the person may do, and nobody does it to themselves. Sign-ins under way end, and so do sessions that a second factor has proven; others go on: end them where a device was stolen.",
    tag: TAG,
    access: { permission: "rollcall.credentials.reset", on: { person: "id" } },
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "New telephone; identity checked at the desk" },
    answer: z.object({ factors: z.int().describe("How many were taken away.") }),
    async handler(call, { params: { id: personId }, body }) {
      await requireHoldsAll(call, { caller: call.caller, personId });
      return resetFactors(call, { keyRing: call.options.keyRing, personId, ...body });
    },
  }),
  route({
    method: "get",
    path: "/factor-requirements",
    summary: "Who must have a second factor, in the caller's reach",
    description: "Who holds a role, is in a unit or below it, or one person: as far as the caller may set them.",
    tag: TAG,
    access: { permission: EDIT, on: "anywhere" },
    query: z.strictObject(pageQuery),
    answer: pageOf(requirementSchema),
    async handler(call, { query: { limit, cursor } }) {
      const after = placeOf(cursor, z.tuple([z.iso.datetime(), z.uuid()]));
      const rows = await listRequirements(call.sql, { reach: await call.reach(EDIT), limit: limit + 1, after });
      return page(rows, { limit, place: ({ createdAt, id }) => [createdAt.toISOString(), id] });
    },
  }),
  route({
    method: "post",
    path: "/factor-requirements",
    summary: "Require a second factor of who holds a role, of a unit with all below it, or of a person",
    description: "Acts at the next sign-in. What is asked of a role needs the permission on the organisation.",
    tag: TAG,
    access: { permission: EDIT, on: "handler" },
    body: z.strictObject({ kind: requirementKind, subjectId: uuid.describe("Of the role, the unit or the person."), reason }),
    example: { kind: "unit", subjectId: "5f0c1b86-3c1e-4c55-9d0a-2f0f6f1f7a11", reason: "They open doors remotely" },
    status: 201,
    answer: requirementSchema,
    idempotent: true,
    async handler(call, { body: { kind, subjectId, reason: why } }) {
      const subject = kind === "role" ? { roleId: subjectId } : kind === "unit" ? { unitId: subjectId } : { personId: subjectId };
      const reach = await call.require(EDIT, "roleId" in subject ? { organisation: true } : subject);
      return readRequirement(call.sql, { id: await requireFactor(call, { subject, reason: why }), reach });
    },
  }),
  route({
    method: "post",
    path: "/factor-requirements/{id}/lift",
    sensitive: true,
    summary: "Take a requirement away",
    description:
      "Factors that people have are still asked for. That of a person is lifted by who may do all that they may, and never by themselves.",
    tag: TAG,
    access: { permission: EDIT, on: "handler" },
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "The unit has moved to single sign-on" },
    status: 204,
    async handler(call, { params: { id }, body }) {
      const requirement = await readRequirement(call.sql, { id, reach: await call.reach(EDIT) });
      if (requirement.kind === "person") await requireHoldsAll(call, { caller: call.caller, personId: requirement.subjectId });
      await liftRequirement(call, { requirement, ...body });
      return undefined;
    },
  }),
];
