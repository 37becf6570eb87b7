import { ACCESS_USER } from "../../directory/attributes.ts";
import type { Described, SchemaDocument } from "./schema.ts";

const told = { mutability: "readOnly", returned: "default", multiValued: false, required: false } as const;
const text = { ...told, type: "string", caseExact: false, uniqueness: "none" } as const;

const VALUES: readonly Described[] = [
  { ...text, name: "value", caseExact: true, description: "The role's key, or the permission." },
  { ...text, name: "display", description: "Its name, for people to read." },
  { ...text, name: "unit", description: "The code of the unit that it holds on, with all units below; the name of one without a code." },
];

const list = (name: string, description: string, more: readonly Described[]): Described => ({
  name,
  type: "complex",
  description,
  multiValued: true,
  required: false,
  mutability: "readOnly",
  returned: "request",
  subAttributes: [...VALUES, ...more],
});

/**
 * What a person may do here, by grants and rules. An extension of its own, so that `roles` and `entitlements` of the core
 * schema stay what their client wrote; told only to those who ask for it by name.
 */
export const ACCESS_DOCUMENT: SchemaDocument = {
  id: ACCESS_USER,
  name: "Access User",
  description: "The roles and permissions that a person holds now",
  attributes: [
    list("roles", "The roles that the person holds now, on each unit.", [
      { ...text, name: "type", description: "Whether it was given to the person or to a group.", canonicalValues: ["direct", "group"] },
      { ...text, type: "reference", name: "$ref", caseExact: true, referenceTypes: ["Role"], description: "The URI of the role." },
      { ...told, type: "dateTime", name: "until", description: "When it ends by itself." },
    ]),
    list("entitlements", "The permissions that these roles give, on each unit.", []),
  ],
};
