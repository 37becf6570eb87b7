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
    description:
      "For a client that shows only what may be done. A token names at most what its person may do, or what it is narrowed to. `units` are those on which it was given; what is missing here is refused everywhere (403), and what the caller may do with themselves or their team needs no unit.",
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
