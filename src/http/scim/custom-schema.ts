import { CUSTOM_USER } from "../../directory/attributes.ts";
import type { CustomAttribute } from "../../directory/custom-attributes.ts";
import {
  attributeMap,
  STANDARD_SCHEMAS,
  type AttributeMap,
  type AttributeType,
  type Described,
  type SchemaDocument,
  type Schemas,
} from "./schema.ts";

const TYPES: Readonly<Record<CustomAttribute["type"], AttributeType>> = {
  string: "string",
  number: "decimal",
  boolean: "boolean",
  date: "dateTime",
  choice: "string",
};

/** The standard schemas with the organisation's own attributes as an extension of User. */
export function schemasWith(attributes: readonly CustomAttribute[]): Schemas {
  if (attributes.length === 0) return STANDARD_SCHEMAS;
  const { user, group } = STANDARD_SCHEMAS;
  const custom: SchemaDocument = {
    id: CUSTOM_USER,
    name: "Custom User",
    description: "The organisation's own attributes of people",
    attributes: attributes.map(described),
  };
  const isRequired = attributes.some(({ required }) => required);
  const extension = { urn: CUSTOM_USER, attributes: enforced(attributes, custom), ...(isRequired ? { required: true as const } : {}) };
  return { group, custom, ownAttributes: attributes, user: { ...user, extensions: [...user.extensions, extension] } };
}

/** RFC 7643 section 7. */
function described({ key, type, description, required, multiple, choices }: CustomAttribute): Described {
  return {
    name: key,
    type: TYPES[type],
    multiValued: multiple,
    description: description || key,
    required,
    caseExact: false,
    mutability: "readWrite",
    returned: "default",
    uniqueness: "none",
    ...(choices ? { canonicalValues: choices } : {}),
  };
}

function enforced(attributes: readonly CustomAttribute[], { attributes: documents }: SchemaDocument): AttributeMap {
  const choices = new Map(attributes.map((attribute) => [attribute.key.toLowerCase(), attribute.choices]));
  return new Map(
    [...attributeMap(documents)].map(([name, attribute]) => {
      const only = choices.get(name);
      return [name, only ? { ...attribute, choices: only } : attribute];
    }),
  );
}
