import { Fault, type AttributeObject, type Kind } from "../contract.ts";
import { isObject, type ScimClient } from "./client.ts";
import { listAll } from "./listing.ts";

export interface FindOptions {
  kind: Kind;
  /** Those of userName, externalId, emails and displayName that are to identify it. */
  attributes: AttributeObject;
  /** From the whole listing, filters or not: some applications compare names with regard to case in filters, and without it in conflicts. */
  thorough?: boolean;
  pageSize: number;
}

interface Sought {
  /** Attribute path as filters name it. */
  path: string;
  value: string;
  /** RFC 7643 says of userName and displayName that case does not matter; of externalId that it does. */
  exact: boolean;
}

/** Every resource that one of the attributes identifies; by filter, or from the whole listing where there are no filters. */
export async function findAccounts(
  client: ScimClient,
  { kind, attributes, thorough = false, pageSize }: FindOptions,
): Promise<AttributeObject[]> {
  const sought = soughtOf(attributes);
  const found = new Map<string, AttributeObject>();
  if (sought.length === 0) return [];
  const { filter } = await client.abilities();
  if (!filter || thorough) {
    await lookThrough(client, { kind, pageSize, sought, found });
    return [...found.values()];
  }
  for (const one of sought) {
    // Some applications compare case-sensitively where the standard says not to.
    for (const value of new Set([one.value, ...(one.exact ? [] : [one.value.toLowerCase()])])) {
      try {
        const { resources } = await client.list(kind, { filter: `${one.path} eq ${JSON.stringify(value)}` });
        // A filter that was ignored answers with everybody: only real matches count.
        collect(resources, { sought: [one], found });
      } catch (error) {
        // Some applications cannot filter by this attribute, or not while somebody lacks it.
        if (!(error instanceof Fault) || error.kind !== "rejected") throw error;
        await lookThrough(client, { kind, pageSize, sought: [one], found });
      }
    }
  }
  return [...found.values()];
}

interface LookThroughOptions {
  kind: Kind;
  pageSize: number;
  sought: readonly Sought[];
  found: Map<string, AttributeObject>;
}

async function lookThrough(client: ScimClient, { kind, pageSize, sought, found }: LookThroughOptions): Promise<void> {
  for await (const page of listAll(client, { kind, pageSize })) collect(page, { sought, found });
}

function soughtOf(attributes: AttributeObject): Sought[] {
  const sought: Sought[] = [];
  for (const name of ["userName", "externalId", "displayName"]) {
    const value = attributes[name];
    if (typeof value === "string" && value !== "") sought.push({ path: name, value, exact: name === "externalId" });
  }
  for (const value of emailsOf(attributes)) sought.push({ path: "emails.value", value, exact: false });
  return sought;
}

function emailsOf({ emails }: AttributeObject): string[] {
  return Array.isArray(emails)
    ? emails.flatMap((email) => (isObject(email) && typeof email["value"] === "string" ? [email["value"]] : []))
    : [];
}

function collect(
  resources: readonly AttributeObject[],
  { sought, found }: { sought: readonly Sought[]; found: Map<string, AttributeObject> },
): void {
  for (const resource of resources) {
    if (typeof resource["id"] === "string" && sought.some((one) => matches(resource, one))) found.set(resource["id"], resource);
  }
}

function matches(resource: AttributeObject, { path, value, exact }: Sought): boolean {
  const held = path === "emails.value" ? emailsOf(resource) : [resource[path]];
  return held.some(
    (candidate) => typeof candidate === "string" && (exact ? candidate === value : candidate.toLowerCase() === value.toLowerCase()),
  );
}
