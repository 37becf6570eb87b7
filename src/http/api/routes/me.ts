import { z } from "zod";
import { OWN_PERMISSIONS } from "../../../access/own-permissions.ts";
import { reachesAnything, reachesOf } from "../../../access/policy.ts";
import { route, type Route } from "../route.ts";
import { unitOfPath } from "../unit-of-path.ts";

const me = z
  .object({
    actor: z.string(),
    personId: z.string().nullable().describe("Null for a service."),
    permissions: z
      .array(
        z.object({
          permission: z.string(),
          organisation: z.boolean().describe("Also on what belongs to no unit."),
          units: z.array(z.string()).describe("Ids of units; each covers what is below it."),
        }),
      )
      .describe("What the caller may do, and where."),
  })
  .meta({ id: "Me" });

export const meRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/me",
    summary: "Who calls, and what the caller may do in Rollcall",
    tag: "Me",
    access: "signed-in",
    answer: me,
    async handler(call) {
      const { sql, caller, ctx } = call;
      const reaches = await reachesOf(sql, { caller, permissions: OWN_PERMISSIONS, at: ctx.now() });
      const permissions = reaches
        .filter(reachesAnything)
        .map(({ permission, organisation, paths }) => ({ permission, organisation, units: paths.map(unitOfPath) }));
      return { actor: caller.actor, personId: caller.personId, permissions };
    },
  }),
];
