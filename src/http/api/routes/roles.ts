import { z } from "zod";
import { readRoleComparison } from "../../../access/comparison.ts";
import { comparisonCsv } from "../../../access/comparison-csv.ts";
import { keepingAnAdministrator } from "../../../access/last-administrator.ts";
import { pageOfRoles, readRole } from "../../../access/role-list.ts";
import { deleteRole } from "../../../access/role-removal.ts";
import { listRoleVersions } from "../../../access/role-versions.ts";
import { createRole, findRole, updateRole } from "../../../access/roles.ts";
import { requireVersion } from "../entity-tag.ts";
import { page, pageOf, pageQuery, placeOf } from "../paging.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { instant, line, moment, reason } from "../schemas.ts";

const roleSchema = z
  .object({
    id: z.string(),
    key: z.string(),
    name: z.string(),
    set: z.string().describe("The module that it comes with; custom for an organisation's own."),
    description: z.string(),
    predefined: z.boolean().describe("Can't be changed; take it as a template."),
    permissions: z.array(z.string()).describe("Its own."),
    inherits: z.array(z.string()).describe("Keys of the roles whose permissions it has too, for as long as they have them."),
    effective: z.array(z.string()).describe("Everything that it gives."),
    grants: z.int().describe("That hold now or begin later."),
    version: z.int(),
    createdAt: instant,
    modifiedAt: instant,
  })
  .meta({ id: "Role" });

const difference = z.object({ added: z.array(z.string()), removed: z.array(z.string()) });
const versionSchema = z
  .object({
    version: z.int(),
    at: instant.describe("Since when it was so."),
    actor: z.string(),
    name: z.string(),
    description: z.string(),
    permissions: z.array(z.string()),
    inherits: z.array(z.string()),
    deleted: z.boolean(),
    difference: z.object({ permissions: difference, inherits: difference, changed: z.array(z.string()) }),
  })
  .meta({ id: "RoleVersion" });

const comparisonSchema = z
  .object({
    roles: z.array(z.object({ key: z.string(), name: z.string(), set: z.string() })),
    rows: z.array(
      z.object({
        permission: z.object({ key: z.string(), module: z.string(), resource: z.string(), action: z.string(), description: z.string() }),
        cells: z.record(z.string(), z.enum(["own", "inherited", "none"])).describe("By the role's key."),
      }),
    ),
  })
  .meta({ id: "RoleComparison" });

const key = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and dashes, beginning with a letter");
const params = z.object({ key: z.string().max(100) });
const fields = z.strictObject({
  name: line(200),
  description: z.string().trim().max(1000),
  permissions: z.array(line(200)).max(2000).describe("Its own, by key."),
  inherits: z.array(line(100)).max(50).describe("Keys of roles."),
});
const newRole = fields.extend({
  key,
  description: fields.shape.description.default(""),
  permissions: fields.shape.permissions.default([]),
  inherits: fields.shape.inherits.default([]),
  template: line(100).optional().describe("Key of a role whose permissions, inherited ones included, are copied."),
});

const TAG = "Roles";
const VIEW = { permission: "rollcall.roles.view", on: "anywhere" } as const;
const EDIT = { permission: "rollcall.roles.edit", on: "organisation" } as const;

export const roleRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/roles",
    summary: "All roles, by key",
    description:
      "Shipped ones and the organisation's own, with what they hold and inherit; `GET /roles/comparison` sets them beside each other.",
    tag: TAG,
    access: VIEW,
    query: z.strictObject({
      ...pageQuery,
      set: line(100).optional().describe("Of this module, or `custom`."),
      q: line(100).optional().describe("Part of key or name."),
    }),
    answer: pageOf(roleSchema),
    async handler({ sql, ctx }, { query: { limit, cursor, set, q } }) {
      const after = placeOf(cursor, z.tuple([z.string()]))?.[0];
      const rows = await pageOfRoles(sql, { at: ctx.now(), limit: limit + 1, after, set, text: q });
      return page(rows, { limit, place: (last) => [last.key] });
    },
  }),
  route({
    method: "post",
    path: "/roles",
    sensitive: true,
    summary: "Make a role: from scratch, from a template, on top of others",
    description:
      "An unknown permission is refused (422), as is a role that is named and not there (404), or a key that is taken (409). It gives nobody anything until it is granted, which only who holds as much may do. `POST /previews` shows what changing it later would do.",
    tag: TAG,
    access: EDIT,
    body: newRole,
    example: { key: "key-keeper", name: "Key keeper", permissions: ["register.keys.view", "register.keys.edit"], inherits: [] },
    status: 201,
    answer: roleSchema,
    idempotent: true,
    async handler(call, { body }) {
      await createRole(call, body);
      return readRole(call.sql, { key: body.key, at: call.ctx.now() });
    },
  }),
  route({
    method: "get",
    path: "/roles/comparison",
    summary: "All roles by permission",
    description: "One row for each permission of every module, one column for each role; inherited ones are told apart.",
    tag: TAG,
    access: VIEW,
    answer: comparisonSchema,
    async handler({ sql }) {
      const { roles, rows } = await readRoleComparison(sql);
      return { roles: [...roles], rows: [...rows] };
    },
  }),
  route({
    method: "get",
    path: "/roles/comparison.csv",
    summary: "All roles by permission, for a spreadsheet",
    description: "The same table as `GET /roles/comparison`. Cells that a spreadsheet would take for a formula are defused.",
    tag: TAG,
    access: VIEW,
    sends: "text/csv",
    async handler({ sql }) {
      return { special: "bytes", type: "text/csv", bytes: Buffer.from(comparisonCsv(await readRoleComparison(sql))) };
    },
  }),
  route({
    method: "get",
    path: "/roles/{key}",
    summary: "One role",
    description: "With what it inherits, resolved. `GET /roles/{key}/versions` says what it held before.",
    tag: TAG,
    access: VIEW,
    params,
    answer: roleSchema,
    versioned: true,
    handler: ({ sql, ctx }, { params: asked }) => readRole(sql, { key: asked.key, at: ctx.now() }),
  }),
  route({
    method: "patch",
    path: "/roles/{key}",
    locks: "administrators",
    sensitive: true,
    summary: "Change a role of one's own; acts at once",
    description:
      "Acts at once on everybody who holds it, or a role that inherits it; `POST /previews` says on whom. Predefined ones can't be changed (403): make one of your own with one as a template.",
    tag: TAG,
    access: EDIT,
    params,
    body: fields.partial(),
    example: { permissions: ["register.keys.view"], inherits: [] },
    answer: roleSchema,
    versioned: true,
    async handler(call, { params: asked, body: { name, description, permissions, inherits } }) {
      await keepingAnAdministrator(call, async () => {
        await requireUnchanged(call, asked.key);
        await updateRole(call, {
          key: asked.key,
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(permissions === undefined ? {} : { permissions: [...new Set(permissions)] }),
          ...(inherits === undefined ? {} : { inherits: [...new Set(inherits)] }),
        });
      });
      return readRole(call.sql, { key: asked.key, at: call.ctx.now() });
    },
  }),
  route({
    method: "delete",
    path: "/roles/{key}",
    locks: "administrators",
    sensitive: true,
    summary: "Delete a role of one's own",
    description: "Refused while it is granted or inherited, unless `revoke` says to take it back everywhere.",
    tag: TAG,
    access: EDIT,
    params,
    body: z.strictObject({ revoke: z.boolean().default(false), reason }),
    example: { revoke: true, reason: "Nobody needs it any more" },
    status: 204,
    versioned: true,
    async handler(call, { params: asked, body }) {
      await keepingAnAdministrator(call, async () => {
        await requireUnchanged(call, asked.key);
        await deleteRole(call, { key: asked.key, ...body });
      });
      return undefined;
    },
  }),
  route({
    method: "get",
    path: "/roles/{key}/versions",
    summary: "What a role held before, and who changed what",
    description: "The newest first. With `at`, the first one is the one that held then.",
    tag: TAG,
    access: VIEW,
    params,
    query: z.strictObject({ ...pageQuery, at: moment.optional() }),
    answer: pageOf(versionSchema),
    async handler({ sql }, { params: asked, query: { limit, cursor, at } }) {
      const { id } = await findRole(sql, asked.key);
      const before = placeOf(cursor, z.tuple([z.int()]))?.[0];
      const rows = await listRoleVersions(sql, { roleId: id, limit: limit + 1, before, at });
      return page(rows, { limit, place: ({ version }) => [version] });
    },
  }),
];

/** Under the lock that changes take one after the other: two of the same version are not both saved. Throws `precondition_failed`. */
async function requireUnchanged({ sql, ifVersion }: ApiCall, roleKey: string): Promise<void> {
  const role = await findRole(sql, roleKey);
  requireVersion({ ifVersion, version: role.version, what: `The role ${role.name}` });
}
