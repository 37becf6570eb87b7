import SCIMMY from "scimmy";
import { documentOf, type Described, type SchemaDocument } from "./schema.ts";

export const SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema";

const told = { multiValued: false, mutability: "readOnly", returned: "default" } as const;
const uncompared = { caseExact: false, uniqueness: "none" } as const;
const text = (name: string, description: string, more: Partial<Described> = {}): Described => ({
  ...told,
  ...uncompared,
  name,
  type: "string",
  required: false,
  description,
  ...more,
});
const flag = (name: string, description: string, more: Partial<Described> = {}): Described => ({
  ...told,
  name,
  type: "boolean",
  required: false,
  description,
  ...more,
});
const number = (name: string, description: string): Described => ({
  ...told,
  name,
  type: "integer",
  required: false,
  uniqueness: "none",
  description,
});
const complex = (name: string, description: string, more: Partial<Described>): Described => ({
  ...told,
  name,
  type: "complex",
  required: false,
  description,
  ...more,
});

/** RFC 9865 section 4. */
const PAGINATION = complex("pagination", "How long lists are read page by page.", {
  subAttributes: [
    flag("cursor", "Whether pages are read by cursors.", { required: true }),
    flag("index", "Whether pages are read by indexes.", { required: true }),
    text("defaultPaginationMethod", "How pages are read when the client does not say.", { canonicalValues: ["cursor", "index"] }),
    number("defaultPageSize", "How many resources a page has when the client does not say."),
    number("maxPageSize", "The most resources that a page has."),
    number("cursorTimeout", "For how many seconds a cursor can be used."),
  ],
});

/** scimmy's definition, with what we tell beside it. */
function serviceProviderConfig(): SchemaDocument {
  const { attributes, ...rest } = documentOf(SCIMMY.Schemas.ServiceProviderConfig.definition);
  const primary = flag("primary", "Whether this scheme is the one to prefer.");
  const withPrimary = ({ subAttributes = [], ...scheme }: Described): Described => ({
    ...scheme,
    subAttributes: [...subAttributes, primary],
  });
  return {
    ...rest,
    attributes: [...attributes.map((each) => (each.name === "authenticationSchemes" ? withPrimary(each) : each)), PAGINATION],
  };
}

const TYPES = ["string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"];

/** What is said of an attribute, but for those below it. */
const OF_AN_ATTRIBUTE: readonly Described[] = [
  text("name", "The attribute's name.", { required: true, caseExact: true }),
  text("type", "The attribute's data type.", { required: true, canonicalValues: TYPES }),
  flag("multiValued", "Whether it has several values.", { required: true }),
  text("description", "What it is for, for people to read."),
  flag("required", "Whether a resource must have it."),
  text("canonicalValues", "Values that are suggested.", { multiValued: true, caseExact: true }),
  flag("caseExact", "Whether the case of its letters counts."),
  text("mutability", "Whether and when it can be changed.", {
    caseExact: true,
    canonicalValues: ["readOnly", "readWrite", "immutable", "writeOnly"],
  }),
  text("returned", "When it is in an answer.", { caseExact: true, canonicalValues: ["always", "never", "default", "request"] }),
  text("uniqueness", "Among which resources a value is there once.", {
    caseExact: true,
    canonicalValues: ["none", "server", "global"],
  }),
  text("referenceTypes", "The types of resources that it may refer to.", { multiValued: true, caseExact: true }),
];

const many = { multiValued: true } as const;

/** RFC 7643 section 8.7.2, which scimmy does not have. */
const SCHEMA_OF_SCHEMAS: SchemaDocument = {
  id: SCHEMA,
  name: "Schema",
  description: "Specifies the schema that describes a SCIM schema",
  attributes: [
    text("id", "The schema's URI.", { required: true, caseExact: true }),
    text("name", "The schema's name, for people to read."),
    text("description", "What the schema is for, for people to read."),
    complex("attributes", "The attributes that the schema defines.", {
      ...many,
      required: true,
      subAttributes: [
        ...OF_AN_ATTRIBUTE,
        complex("subAttributes", "The attributes below a complex one.", { ...many, subAttributes: OF_AN_ATTRIBUTE }),
      ],
    }),
  ],
};

/** The schemas of what discovery itself answers (RFC 7643 sections 5 to 7). */
export const DISCOVERY_DOCUMENTS: readonly SchemaDocument[] = [
  serviceProviderConfig(),
  documentOf(SCIMMY.Schemas.ResourceType.definition),
  SCHEMA_OF_SCHEMAS,
];
