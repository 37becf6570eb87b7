import { Fault, type AttributeObject, type Kind } from "../contract.ts";
import { resourceOf, type ScimClient } from "./client.ts";
import type { ScimSettings } from "./config.ts";
import { isNobodyBy } from "./filter-proof.ts";
import { isObject } from "./json.ts";
import { listAll } from "./listing.ts";

export interface FindOptions {
  kind: Kind;
  /** Those of userName, externalId, emails and displayName that are to identify it. */
  attributes: AttributeObject;
  /** From the whole listing, filters or not: some applications compare names with regard to case in filters, and without it in conflicts. */
  thorough?: boolean;
  /** Attributes that filters know; all when absent. */
  filters?: ScimSettings["filters"];
}

interface Sought {
  attribute: "userName" | "externalId" | "displayName" | "emails";
  value: string;
  /** RFC 7643 says of userName and displayName that case does not matter; of externalId that it does. */
  exact: boolean;
}

/** Filters that mean the same, the likeliest to be understood first. */
const FORMS: Readonly<Record<Sought["attribute"], readonly ((literal: string) => string)[]>> = {
  userName: [(literal) => `userName eq ${literal}`],
  externalId: [(literal) => `externalId eq ${literal}`],
  displayName: [(literal) => `displayName eq ${literal}`],
  emails: [(literal) => `emails.value eq ${literal}`, (literal) => `emails[value eq ${literal}]`],
};

/** Every resource that one of the attributes identifies; by filter, or from the whole listing where there are no filters. */
export async function findAccounts(
  client: ScimClient,
  { kind, attributes, thorough = false, filters }: FindOptions,
): Promise<AttributeObject[]> {
  const sought = soughtOf(attributes);
  const found = new Map<string, AttributeObject>();
  if (sought.length === 0) return [];
  const { filter } = await client.abilities();
  const filtered = (one: Sought) =>
    filter && !thorough && !client.learned.unfiltered.has(keyOf(kind, one)) && (filters?.includes(one.attribute) ?? true);
  const unanswered: Sought[] = sought.filter((one) => !filtered(one));
  for (const one of sought.filter(filtered)) if (!(await findByFilter(client, { kind, one, found }))) unanswered.push(one);
  if (unanswered.length > 0) {
    for await (const page of listAll(client, { kind })) collect(page, { sought: unanswered, found });
  }
  return [...found.values()];
}

/** False when the application does not filter by this attribute: it is not asked again. */
async function findByFilter(
  client: ScimClient,
  { kind, one, found }: { kind: Kind; one: Sought; found: Map<string, AttributeObject> },
): Promise<boolean> {
  // Some applications compare case-sensitively where the standard says not to.
  for (const value of new Set([one.value, ...(one.exact ? [] : [one.value.toLowerCase()])])) {
    const answer = await askByForms(client, { kind, one, value });
    if (answer === "404" ? await isNobody(client, { kind, one }) : learnsFrom(answer, { client, kind, one, found })) continue;
    client.learned.unfiltered.add(keyOf(kind, one));
    return false;
  }
  return true;
}

/** False for an answer that shows that there is no such filter. */
function learnsFrom(
  resources: readonly AttributeObject[] | undefined,
  { client, kind, one, found }: { client: ScimClient; kind: Kind; one: Sought; found: Map<string, AttributeObject> },
): boolean {
  collect(resources ?? [], { sought: [one], found });
  if (!resources || ignoresFilter(resources, one)) return false;
  if (resources.some((resource) => matches(resource, one))) client.learned.filtered.add(keyOf(kind, one));
  return true;
}

function isNobody(client: ScimClient, { kind, one }: { kind: Kind; one: Sought }): Promise<boolean> {
  return isNobodyBy(client, {
    kind,
    key: keyOf(kind, one),
    valueOf: (resource) => heldBy(resource, one).find((value) => value !== ""),
    async hits(value) {
      const answer = await askByForms(client, { kind, one, value });
      return Array.isArray(answer) && answer.some((resource: AttributeObject) => matches(resource, { ...one, value }));
    },
  });
}

/** Undefined when every form of the filter is refused, or one is answered by halves: some applications can't filter by this attribute, or not while somebody lacks it. */
async function askByForms(
  client: ScimClient,
  { kind, one, value }: { kind: Kind; one: Sought; value: string },
): Promise<readonly AttributeObject[] | "404" | undefined> {
  for (const form of FORMS[one.attribute]) {
    try {
      const { resources, totalResults = 0 } = await client.list(kind, { filter: form(JSON.stringify(value)) });
      // Who is counted and not shown may be whom we look for.
      return resources.length === 0 && totalResults > 0 ? undefined : resources;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.kind === "gone") return "404";
      if (error.kind !== "rejected") throw error;
    }
  }
  return undefined;
}

/** A filter that was ignored answers with everybody, or with the first page of them. */
function ignoresFilter(resources: readonly AttributeObject[], one: Sought): boolean {
  return resources.length > 1 && resources.some((resource) => !matches(resource, { ...one, exact: false }));
}

function keyOf(kind: Kind, { attribute }: Sought): string {
  return `${kind} ${attribute}`;
}

function soughtOf(attributes: AttributeObject): Sought[] {
  const sought: Sought[] = [];
  for (const attribute of ["userName", "externalId", "displayName"] as const) {
    const value = attributes[attribute];
    if (typeof value === "string" && value !== "") sought.push({ attribute, value, exact: attribute === "externalId" });
  }
  for (const value of emailsOf(attributes)) sought.push({ attribute: "emails", value, exact: false });
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
    const { id } = resource;
    if (typeof id === "string" && sought.some((one) => matches(resource, one))) found.set(id, resourceOf(resource));
  }
}

function matches(resource: AttributeObject, one: Sought): boolean {
  const { value, exact } = one;
  return heldBy(resource, one).some((candidate) => (exact ? candidate === value : candidate.toLowerCase() === value.toLowerCase()));
}

function heldBy(resource: AttributeObject, { attribute }: Sought): string[] {
  const held = attribute === "emails" ? emailsOf(resource) : [resource[attribute]];
  return held.filter((candidate) => typeof candidate === "string");
}
