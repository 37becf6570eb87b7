import path from "node:path";
import { z } from "zod";
import { listModules } from "../../../access/modules.ts";
import { readRoleFiles } from "../../../access/role-files.ts";
import { projectFolder } from "../../../db/folder.ts";
import { route, type Route } from "../route.ts";

const moduleSchema = z
  .object({
    key: z.string(),
    title: z.string(),
    installed: z.boolean(),
    roles: z.array(z.object({ key: z.string(), name: z.string(), description: z.string() })).describe("That come with it."),
    permissions: z.int(),
  })
  .meta({ id: "Module" });

export const moduleRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/modules",
    summary: "Modules, installed or not, and the roles that come with them",
    description: "Which are installed, the configuration decides (`modules`), at the next start. It can't be changed here.",
    tag: "Roles",
    access: { permission: "rollcall.roles.view", on: "anywhere" },
    answer: z.object({ modules: z.array(moduleSchema) }),
    async handler({ sql }) {
      return { modules: await listModules(sql, readRoleFiles(path.join(projectFolder(), "config/roles"))) };
    },
  }),
];
