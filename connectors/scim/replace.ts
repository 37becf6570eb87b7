import { Fault, type AttributeObject, type Kind } from "../contract.ts";
import { GROUP, USER, versionOf, type ScimClient } from "./client.ts";

/** Times that somebody else may have been quicker. */
const TRIES = 4;

/** Reads a resource. Throws `gone`. */
export async function read(client: ScimClient, kind: Kind, id: string): Promise<AttributeObject> {
  const resource = await client.get(kind, id);
  if (!resource) throw new Fault("gone", `The SCIM application has no ${kind} ${id} any more.`);
  return resource;
}

export interface ReplaceOptions {
  kind: Kind;
  id: string;
  /** The whole resource as it should be, from what it is; undefined when it is so already. */
  change: (current: AttributeObject) => AttributeObject | undefined;
}

/**
 * Reads a resource and puts it back changed. Where the application compares versions, what somebody else wrote in between
 * is read anew and kept. Throws `gone`; `transient` when somebody else is always quicker.
 */
export async function replaceResource(client: ScimClient, { kind, id, change }: ReplaceOptions): Promise<void> {
  const { etag } = await client.abilities();
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const current = await read(client, kind, id);
    const changed = change(current);
    if (!changed) return;
    const { meta: _meta, ...resource } = changed;
    const version = etag || client.learned.versioned ? versionOf(current) : undefined;
    if (client.learned.versioned && version === undefined)
      throw new Fault(
        "rejected",
        `The SCIM application takes no change of the ${kind} ${id} that does not name its version, and tells none (RFC 7644 section 3.14).`,
      );
    if (await client.put(kind, id, { resource: { ...resource, schemas: schemasOf(kind, resource) }, version })) return;
  }
  throw new Fault("transient", `The ${kind} ${id} at the SCIM application was changed by somebody else each time that we tried to.`);
}

export function schemasOf(kind: Kind, attributes: AttributeObject): string[] {
  return [kind === "user" ? USER : GROUP, ...Object.keys(attributes).filter((name) => name.startsWith("urn:"))];
}
