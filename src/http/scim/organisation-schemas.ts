import { attributeMap, COMMON, type Described, type ResourceSchema, type SchemaDocument } from "./schema.ts";

const UNIT = "urn:ietf:params:scim:schemas:rollcall:2.0:Unit";
const ROLE = "urn:ietf:params:scim:schemas:rollcall:2.0:Role";

/** What a client may read but not write: units come from their origin, roles from an administrator. */
function readOnly(name: string, description: string, more: Partial<Described> = {}): Described {
  const type = more.type ?? "string";
  const always = { multiValued: false, required: false, mutability: "readOnly", returned: "default" } as const;
  return { name, type, description, ...always, ...(type === "string" ? { caseExact: false, uniqueness: "none" } : {}), ...more };
}

function reference(to: readonly string[]): Described[] {
  return [
    readOnly("value", "The id of the resource."),
    readOnly("$ref", "The URI of the resource.", { type: "reference", referenceTypes: to, caseExact: true, uniqueness: "none" }),
    readOnly("display", "Its name, for people to read."),
  ];
}

/** The schema documents of units and roles (RFC 7643 section 7). */
export const UNIT_DOCUMENT: SchemaDocument = {
  id: UNIT,
  name: "Unit",
  description: "Part of the organisation: itself, a department, a location, a team",
  attributes: [
    readOnly("name", "The name of the unit.", { required: true }),
    readOnly("code", "The key by which rules, files and mappings name the unit.", { uniqueness: "server" }),
    readOnly("type", "What kind of part it is.", { canonicalValues: ["organization", "department", "location", "team"] }),
    readOnly("parent", "The unit that it stands under; none for a root.", { type: "complex", subAttributes: reference(["Unit"]) }),
    readOnly("members", "The people who belong to the unit itself; told to those who ask for it by name.", {
      type: "complex",
      multiValued: true,
      returned: "request",
      subAttributes: [...reference(["User"]), readOnly("type", "What kind of resource it is.", { canonicalValues: ["User"] })],
    }),
  ],
};

export const ROLE_DOCUMENT: SchemaDocument = {
  id: ROLE,
  name: "Role",
  description: "A named set of permissions, granted to people and groups on units",
  attributes: [
    readOnly("key", "The key by which rules and files name the role.", { required: true, caseExact: true, uniqueness: "server" }),
    readOnly("name", "The name of the role.", { required: true }),
    readOnly("description", "What the role is for."),
    readOnly("set", "The set of roles that it belongs to."),
    readOnly("predefined", "Whether it was shipped, rather than made by the organisation.", { type: "boolean" }),
    readOnly("permissions", "What the role permits, inherited permissions included.", {
      type: "complex",
      multiValued: true,
      subAttributes: [
        readOnly("value", "module.resource.action", { caseExact: true }),
        readOnly("display", "What the permission allows, for people to read."),
        readOnly("type", "Whether the role itself names it, or inherits it.", { canonicalValues: ["direct", "inherited"] }),
      ],
    }),
    readOnly("inherits", "The roles whose permissions it has, too.", {
      type: "complex",
      multiValued: true,
      subAttributes: reference(["Role"]),
    }),
  ],
};

function resourceSchema({ id, attributes }: SchemaDocument, names: Pick<ResourceSchema, "type" | "endpoint">): ResourceSchema {
  return { ...names, urn: id, attributes: attributeMap([...COMMON, ...attributes]), extensions: [] };
}

export const UNIT_SCHEMA = resourceSchema(UNIT_DOCUMENT, { type: "Unit", endpoint: "/Units" });
export const ROLE_SCHEMA = resourceSchema(ROLE_DOCUMENT, { type: "Role", endpoint: "/Roles" });
