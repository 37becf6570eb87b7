import { z } from "zod";
import { listPermissions } from "../../../access/modules.ts";
import { route, type Route } from "../route.ts";

const modulePermissions = z
  .object({
    module: z.string(),
    installed: z.boolean(),
    resources: z.array(
      z.object({
        resource: z.string(),
        permissions: z.array(z.object({ key: z.string(), action: z.string(), description: z.string() })),
      }),
    ),
  })
  .meta({ id: "ModulePermissions" });

export const permissionRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/permissions",
    summary: "Every permission, resource by action, by module",
    description:
      "The catalogue of each module, also of those that are not installed here. `module.resource.action` is how roles, checks and explanations name one.",
    tag: "Roles",
    access: { permission: "rollcall.roles.view", on: "anywhere" },
    answer: z.object({ modules: z.array(modulePermissions) }),
    async handler({ sql }) {
      return { modules: await listPermissions(sql) };
    },
  }),
];
