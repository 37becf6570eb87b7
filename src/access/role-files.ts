import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { AppError, messageOf } from "../errors.ts";

const word = z.string().regex(/^[a-z][a-z0-9-]*$/, "must be lower-case letters, digits and dashes, beginning with a letter");
const pattern = z.string().regex(/^(\*|[a-z][a-z0-9-]*\.(\*|[a-z][a-z0-9-]*))$/, "must be `resource.action`, `resource.*` or `*`");

const roleSchema = z
  .strictObject({
    key: word,
    name: z.string().min(1),
    description: z.string().default(""),
    permissions: z.array(pattern).default([]),
    /** Roles whose permissions this one has too, for as long as they have them. */
    inherits: z.array(word).default([]),
    /** A role of this file, further up, that this one copies, less `without`. */
    "based-on": word.optional(),
    without: z.array(pattern).default([]),
  })
  .refine((role) => role.without.length === 0 || role["based-on"] !== undefined, { path: ["without"], message: "needs `based-on`" });

/** A file of config/roles: the permissions of one module, and the roles that come with it (A1). */
export const roleFileSchema = z.strictObject({
  module: word,
  title: z.string().min(1),
  permissions: z.record(word, z.strictObject({ title: z.string().min(1), actions: z.record(word, z.string()) })),
  roles: z.array(roleSchema).min(1),
});

export interface ShippedPermission {
  /** `module.resource.action` */
  key: string;
  module: string;
  resource: string;
  action: string;
  description: string;
}

export interface ShippedRole {
  key: string;
  name: string;
  set: string;
  description: string;
  permissions: readonly string[];
  inherits: readonly string[];
}

export interface RoleSet {
  module: string;
  title: string;
  permissions: readonly ShippedPermission[];
  roles: readonly ShippedRole[];
}

/** Reads every *.yaml of a folder. Throws `misconfigured` naming file, place and reason. */
export function readRoleFiles(folder: string): RoleSet[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => parseRoleFile(readFileSync(path.join(folder, name), "utf8"), name));
}

/** One file as permissions and roles, patterns written out. Throws `misconfigured`. */
export function parseRoleFile(text: string, name: string): RoleSet {
  const file = validated(text, name);
  const permissions = Object.entries(file.permissions).flatMap(([resource, { actions }]) =>
    Object.entries(actions).map(([action, description]) => ({
      key: `${file.module}.${resource}.${action}`,
      module: file.module,
      resource,
      action,
      description,
    })),
  );
  const flat = new Map<string, readonly string[]>();
  const roles = file.roles.map((role, index): ShippedRole => {
    const field = `${name}: roles.${index} (${role.key})`;
    if (flat.has(role.key)) throw new AppError("misconfigured", `${field}: there are two roles with this key.`, { field });
    const expand = (patterns: readonly string[]) => patterns.flatMap((item) => matching(permissions, item, field));
    const base = role["based-on"] === undefined ? [] : flat.get(role["based-on"]);
    if (!base)
      throw new AppError("misconfigured", `${field}: based-on names ${role["based-on"]}, which does not stand above it.`, { field });
    const without = new Set(expand(role.without));
    const missing = [...without].find((key) => !base.includes(key));
    if (missing)
      throw new AppError("misconfigured", `${field}: without names ${missing}, which ${role["based-on"]} does not have.`, { field });
    const own = [...new Set([...base.filter((key) => !without.has(key)), ...expand(role.permissions)])];
    flat.set(role.key, own);
    return { key: role.key, name: role.name, set: file.module, description: role.description, permissions: own, inherits: role.inherits };
  });
  const stranger = roles.flatMap((role) => role.inherits).find((key) => !flat.has(key));
  if (stranger) throw new AppError("misconfigured", `${name}: a role inherits ${stranger}, which is not in this file.`, { field: name });
  return { module: file.module, title: file.title, permissions, roles };
}

function validated(text: string, name: string): z.output<typeof roleFileSchema> {
  try {
    return roleFileSchema.parse(parseYaml(text));
  } catch (error) {
    if (!(error instanceof z.ZodError))
      throw new AppError("misconfigured", `${name} is not YAML: ${messageOf(error).split("\n")[0]}`, { field: name, cause: error });
    const problems = error.issues.map((issue) => ({ field: `${name}: ${issue.path.map(String).join(".")}`, message: issue.message }));
    throw new AppError(
      "misconfigured",
      ["A file of roles has problems.", ...problems.map(({ field, message }) => `  ${field}: ${message}`)].join("\n"),
      { problems },
    );
  }
}

function matching(permissions: readonly ShippedPermission[], wanted: string, field: string): string[] {
  const [resource, action] = wanted === "*" ? ["*", "*"] : wanted.split(".");
  const found = permissions.filter(
    (permission) => (resource === "*" || permission.resource === resource) && (action === "*" || permission.action === action),
  );
  if (found.length === 0) throw new AppError("misconfigured", `${field}: no permission of this file is ${wanted}.`, { field });
  return found.map((permission) => permission.key);
}
