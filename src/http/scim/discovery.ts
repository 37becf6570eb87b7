import { CORE_GROUP, CORE_USER } from "../../directory/attributes.ts";
import { MOST_OPERATIONS } from "./bulk/request.ts";
import type { Call } from "./call.ts";
import { CURSOR_TIMEOUT } from "./cursor.ts";
import { PROFILES } from "./dialects/profiles/index.ts";
import { LIST_RESPONSE } from "./list.ts";
import { DISCOVERY_DOCUMENTS, SCHEMA } from "./discovery-schemas.ts";
import { LARGEST_PAGE, USUAL_PAGE } from "./list-request.ts";
import { ROLE_DOCUMENT, ROLE_SCHEMA, UNIT_DOCUMENT, UNIT_SCHEMA } from "./organisation-schemas.ts";
import { SCHEMA_DOCUMENTS, type Described, type ResourceSchema } from "./schema.ts";

const RESOURCE_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SERVICE_PROVIDER_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/** What discovery depends on: where the door stands, the organisation's own attributes, and what the client's profile looks for. */
type Discovering = Pick<Call, "base" | "schemas" | "dialect">;

/** RFC 7643 section 5: what this door can do for the client of this call. `bodyLimit` in bytes. */
export function serviceProviderConfig({ base, settings, bodyLimit }: Pick<Call, "base" | "settings"> & { bodyLimit: number }): object {
  return {
    schemas: [SERVICE_PROVIDER_CONFIG],
    patch: { supported: true },
    bulk: { supported: true, maxOperations: MOST_OPERATIONS, maxPayloadSize: bodyLimit },
    filter: { supported: true, maxResults: LARGEST_PAGE },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    // RFC 9865 section 4.
    pagination: {
      cursor: true,
      index: true,
      defaultPaginationMethod: "index",
      defaultPageSize: USUAL_PAGE,
      maxPageSize: LARGEST_PAGE,
      cursorTimeout: CURSOR_TIMEOUT,
    },
    authenticationSchemes: [BEARER_TOKEN, ...(settings.oauth ? [CLIENT_CREDENTIALS] : [])],
    meta: { resourceType: "ServiceProviderConfig", location: `${base}/ServiceProviderConfig` },
  };
}

const BEARER_TOKEN = {
  type: "oauthbearertoken",
  name: "Bearer token",
  primary: true,
  description: "A token made with `rollcall token create --scope scim`, sent as `Authorization: Bearer <token>`.",
  specUri: "https://www.rfc-editor.org/info/rfc6750",
};

const CLIENT_CREDENTIALS = {
  type: "oauth2",
  name: "OAuth 2.0 client credentials",
  primary: false,
  description: "An access token of the issuer that this client's connection names, sent as `Authorization: Bearer <token>`.",
  specUri: "https://www.rfc-editor.org/info/rfc6749",
};

/** The resources that clients write, which have an externalId. */
const WITH_EXTERNAL_ID: ReadonlySet<string> = new Set([CORE_USER, CORE_GROUP]);

/** RFC 7643 section 3 has it in no schema, and section 3.1 lets a schema list it all the same. */
const EXTERNAL_ID: Described = {
  name: "externalId",
  type: "string",
  multiValued: false,
  description: "The client's own identifier of the resource.",
  required: false,
  caseExact: true,
  mutability: "readWrite",
  returned: "default",
  uniqueness: "none",
};

/** RFC 7643 section 7. */
export function schemaResources({ base, schemas: { custom }, dialect }: Discovering): { id: string }[] {
  const { seeksExternalId = false } = PROFILES[dialect];
  return [...SCHEMA_DOCUMENTS, ...(custom ? [custom] : []), UNIT_DOCUMENT, ROLE_DOCUMENT, ...DISCOVERY_DOCUMENTS].map((document) => ({
    ...document,
    ...(seeksExternalId && WITH_EXTERNAL_ID.has(document.id) ? { attributes: [...document.attributes, EXTERNAL_ID] } : {}),
    schemas: [SCHEMA],
    meta: { resourceType: "Schema", location: `${base}/Schemas/${document.id}` },
  }));
}

/** RFC 7643 section 6. */
export function resourceTypes({ base, schemas }: Discovering): { id: string }[] {
  const resourceType = ({ type, endpoint, urn, extensions }: ResourceSchema, description: string) => ({
    schemas: [RESOURCE_TYPE],
    id: type,
    name: type,
    endpoint,
    description,
    schema: urn,
    ...(extensions.length
      ? { schemaExtensions: extensions.map((extension) => ({ schema: extension.urn, required: extension.required === true })) }
      : {}),
    meta: { resourceType: "ResourceType", location: `${base}/ResourceTypes/${type}` },
  });
  return [
    resourceType(schemas.user, "People"),
    resourceType(schemas.group, "Groups of people and of groups"),
    resourceType(UNIT_SCHEMA, UNIT_DOCUMENT.description),
    resourceType(ROLE_SCHEMA, ROLE_DOCUMENT.description),
  ];
}

export function listOf(resources: readonly object[]): object {
  return { schemas: [LIST_RESPONSE], totalResults: resources.length, startIndex: 1, itemsPerPage: resources.length, Resources: resources };
}
