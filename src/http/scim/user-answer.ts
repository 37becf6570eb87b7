import { CORE_USER } from "../../directory/attributes.ts";
import type { Call } from "./call.ts";
import type { JsonObject } from "./json.ts";
import type { Found } from "./read.ts";
import type { ResourceSchema } from "./schema.ts";

/** What a write knows of a user besides what the client said. */
export interface KnownUser {
  id: string;
  active: boolean;
  createdAt: Date;
  modifiedAt: Date;
  version: number;
  accountVersion: number;
  groups: readonly { id: string; name: string }[];
}

/** What a read would answer about a user whose own document is `resource` (RFC 7643 section 4.1): a write that knows it all need not read. */
export function userAnswer(
  { call, schema, resource }: { call: Call; schema: ResourceSchema; resource: JsonObject },
  { id, active, createdAt, modifiedAt, groups, ...versions }: KnownUser,
): Found {
  const version = `W/"${versions.version}.${versions.accountVersion}"`;
  const text = JSON.stringify({
    schemas: [CORE_USER, ...schema.extensions.filter(({ urn }) => resource[urn] !== undefined).map(({ urn }) => urn)],
    ...resource,
    id,
    active,
    meta: {
      resourceType: "User",
      created: createdAt.toISOString(),
      lastModified: modifiedAt.toISOString(),
      location: `${call.base}/Users/${id}`,
      version,
    },
    ...(groups.length > 0
      ? {
          groups: groups.map((group) => ({
            value: group.id,
            $ref: `${call.base}/Groups/${group.id}`,
            display: group.name,
            type: "direct",
          })),
        }
      : {}),
  });
  return { text, version };
}
