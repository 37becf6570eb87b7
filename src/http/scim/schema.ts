import SCIMMY from "scimmy";
import { ACCESS_DOCUMENT } from "./access-schema.ts";
import { EMPLOYMENT_DOCUMENT } from "./employment-schema.ts";
import { CORE_GROUP, CORE_USER, ENTERPRISE_USER } from "../../directory/attributes.ts";
import type { CustomAttribute } from "../../directory/custom-attributes.ts";

export type AttributeType = "string" | "boolean" | "decimal" | "integer" | "dateTime" | "binary" | "reference" | "complex";

/** One attribute of a schema (RFC 7643 section 7), as the engines need it. */
export interface SchemaAttribute {
  name: string;
  type: AttributeType;
  multiValued: boolean;
  required: boolean;
  caseExact: boolean;
  mutability: "readWrite" | "readOnly" | "writeOnly" | "immutable";
  returned: "always" | "default" | "request" | "never";
  /** The only values there may be, where an organisation says so; canonical values of the RFC's are suggestions. */
  choices?: readonly string[];
  /** By lower-case name. */
  subAttributes: ReadonlyMap<string, SchemaAttribute>;
}

/** Attributes by lower-case name, since names are case-insensitive (RFC 7643 section 2.1). */
export type AttributeMap = ReadonlyMap<string, SchemaAttribute>;

export interface Extension {
  urn: string;
  /** A resource without it is refused. */
  required?: true;
  attributes: AttributeMap;
}

/** A resource type with all that it may hold. */
export interface ResourceSchema {
  type: "User" | "Group" | "Unit" | "Role";
  endpoint: "/Users" | "/Groups" | "/Units" | "/Roles";
  urn: string;
  /** The core schema's attributes and the common ones (schemas, id, externalId, meta). */
  attributes: AttributeMap;
  extensions: readonly Extension[];
}

/** An attribute as a schema's document describes it. */
export interface Described {
  name: string;
  type: AttributeType;
  description?: string;
  multiValued?: boolean;
  required?: boolean;
  caseExact?: boolean;
  mutability?: SchemaAttribute["mutability"];
  returned?: SchemaAttribute["returned"];
  uniqueness?: "none" | "server" | "global";
  canonicalValues?: readonly string[];
  referenceTypes?: readonly string[];
  subAttributes?: readonly Described[];
}

/** A schema's own document (RFC 7643 section 7), without the host in its location. */
export interface SchemaDocument {
  id: string;
  name: string;
  description: string;
  attributes: readonly Described[];
}

/** References and binaries are case exact (RFC 7643 sections 2.3.6 and 2.3.7), whatever the definition says. */
function attributeOf(described: Described, readOnlyParent = false): SchemaAttribute {
  const mutability = readOnlyParent ? "readOnly" : (described.mutability ?? "readWrite");
  const subAttributes = (described.subAttributes ?? []).map((sub) => attributeOf(sub, mutability === "readOnly"));
  return {
    name: described.name,
    type: described.type,
    multiValued: described.multiValued ?? false,
    required: described.required ?? false,
    caseExact: described.caseExact === true || described.type === "reference" || described.type === "binary",
    mutability,
    returned: described.returned ?? "default",
    subAttributes: byName(subAttributes),
  };
}

function byName(attributes: readonly SchemaAttribute[]): AttributeMap {
  return new Map(attributes.map((attribute) => [attribute.name.toLowerCase(), attribute]));
}

const readOnly = { mutability: "readOnly" } as const;

/** RFC 7643 section 3.1. */
export const COMMON: readonly Described[] = [
  { name: "schemas", type: "reference", multiValued: true, returned: "always" },
  { name: "id", type: "string", caseExact: true, ...readOnly, returned: "always" },
  { name: "externalId", type: "string", caseExact: true },
  {
    name: "meta",
    type: "complex",
    ...readOnly,
    subAttributes: [
      { name: "resourceType", type: "string", caseExact: true },
      { name: "created", type: "dateTime" },
      { name: "lastModified", type: "dateTime" },
      { name: "location", type: "reference" },
      { name: "version", type: "string", caseExact: true },
    ],
  },
];

/** scimmy's definitions, taken once as data: its instances cost hundreds of times a plain document. */
export function documentOf(definition: { describe(path: string): unknown }): SchemaDocument {
  const { attributes, ...rest }: SchemaDocument = JSON.parse(JSON.stringify(definition.describe("/Schemas")));
  return { ...rest, attributes: attributes.map(asEnforced) };
}

/** A document says what we do: references are case exact, and no list of suggestions is empty. */
function asEnforced({ canonicalValues, subAttributes, ...described }: Described): Described {
  return {
    ...described,
    ...(canonicalValues?.length ? { canonicalValues } : {}),
    ...(described.type === "reference" ? { caseExact: true } : {}),
    ...(subAttributes ? { subAttributes: subAttributes.map(asEnforced) } : {}),
  };
}

/** The schema documents that discovery shows. */
export const SCHEMA_DOCUMENTS: readonly SchemaDocument[] = [
  documentOf(SCIMMY.Schemas.User.definition),
  documentOf(SCIMMY.Schemas.EnterpriseUser.definition),
  EMPLOYMENT_DOCUMENT,
  ACCESS_DOCUMENT,
  documentOf(SCIMMY.Schemas.Group.definition),
];

function attributesOf(urn: string): readonly Described[] {
  return SCHEMA_DOCUMENTS.find(({ id }) => id === urn)?.attributes ?? [];
}

/** The engines' form of what a document describes. */
export function attributeMap(described: readonly Described[]): AttributeMap {
  return byName(described.map((attribute) => attributeOf(attribute)));
}

export const USER: ResourceSchema = {
  type: "User",
  endpoint: "/Users",
  urn: CORE_USER,
  attributes: attributeMap([...COMMON, ...attributesOf(CORE_USER)]),
  extensions: [
    { urn: ENTERPRISE_USER, attributes: attributeMap(attributesOf(ENTERPRISE_USER)) },
    { urn: EMPLOYMENT_DOCUMENT.id, attributes: attributeMap(EMPLOYMENT_DOCUMENT.attributes) },
    { urn: ACCESS_DOCUMENT.id, attributes: attributeMap(ACCESS_DOCUMENT.attributes) },
  ],
};

export const GROUP: ResourceSchema = {
  type: "Group",
  endpoint: "/Groups",
  urn: CORE_GROUP,
  attributes: attributeMap([...COMMON, ...attributesOf(CORE_GROUP)]),
  extensions: [],
};

/** The schemas of the resources that a client may write, as one organisation has them. */
export interface Schemas {
  user: ResourceSchema;
  group: ResourceSchema;
  /** The document of the organisation's own attributes; absent when it has none. */
  custom?: SchemaDocument;
  /** Those attributes as the organisation defined them. */
  ownAttributes?: readonly CustomAttribute[];
}

/** Without custom attributes. */
export const STANDARD_SCHEMAS: Schemas = { user: USER, group: GROUP };

/** An attribute named by a client, found in the schema. Without `attribute` it is the whole extension. */
export interface Target {
  /** URN of the extension that it stands under; absent for the core schema. */
  extension?: string;
  attribute: SchemaAttribute;
  sub?: SchemaAttribute;
}

export type Named = Target | { extension: string; attribute?: undefined; sub?: undefined };

/**
 * Finds `name`, `name.familyName`, `URN:name.familyName` or a whole extension by its URN, whatever the case.
 * Returns undefined for what the schema does not know.
 */
export function findAttribute(schema: ResourceSchema, text: string): Named | undefined {
  return namesOf(schema).get(text) ?? inAnyCase(schema, text);
}

/** Of each schema, by names as it writes them itself, which is how most clients do: each resource is looked through several times. */
const NAMES = new WeakMap<ResourceSchema, ReadonlyMap<string, Named>>();

function namesOf(schema: ResourceSchema): ReadonlyMap<string, Named> {
  const known = NAMES.get(schema);
  if (known) return known;
  const written = schema.extensions.flatMap(({ urn, attributes }) => [
    urn,
    ...[...attributes.values()].map(({ name }) => `${urn}:${name}`),
  ]);
  const names = [...[...schema.attributes.values()].map(({ name }) => name), ...written];
  const made = new Map<string, Named>();
  for (const name of names) {
    const named = inAnyCase(schema, name);
    if (named) made.set(name, named);
  }
  NAMES.set(schema, made);
  return made;
}

function inAnyCase(schema: ResourceSchema, text: string): Named | undefined {
  const lower = text.toLowerCase();
  for (const { urn, attributes } of schema.extensions) {
    const rest = afterUrn(lower, urn);
    if (rest === "") return { extension: urn };
    const target = rest === undefined ? undefined : inMap(attributes, rest);
    if (target) return { extension: urn, ...target };
  }
  const core = afterUrn(lower, schema.urn);
  return inMap(schema.attributes, core ?? lower);
}

/** Whether this is the schema's own URN, under which some clients put all that belongs to it. */
export function isUrnOf(schema: ResourceSchema, name: string): boolean {
  return name.length === schema.urn.length && name.toLowerCase() === schema.urn.toLowerCase();
}

function afterUrn(lower: string, urn: string): string | undefined {
  const prefix = urn.toLowerCase();
  if (lower === prefix) return "";
  return lower.startsWith(prefix) && [":", "."].includes(lower.charAt(prefix.length)) ? lower.slice(prefix.length + 1) : undefined;
}

function inMap(attributes: AttributeMap, lower: string): { attribute: SchemaAttribute; sub?: SchemaAttribute } | undefined {
  const dot = lower.indexOf(".");
  const attribute = attributes.get(dot < 0 ? lower : lower.slice(0, dot));
  if (!attribute || dot < 0) return attribute && { attribute };
  const sub = attribute.subAttributes.get(lower.slice(dot + 1));
  return sub && { attribute, sub };
}
