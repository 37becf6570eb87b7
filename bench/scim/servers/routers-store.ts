export type Kind = "users" | "groups";

export interface Resource {
  id: string;
  meta: { created: string; lastModified: string };
  [attribute: string]: unknown;
}

/** scimmy's parsed filter: alternatives, each attribute with its comparison. */
export interface Filter extends ReadonlyArray<Readonly<Record<string, unknown>>> {
  match(values: unknown[]): unknown[];
}

export interface Listed {
  resources: Resource[];
  total: number;
  /** The resources are the page already. */
  paged: boolean;
}

/** The controller behind scimmy's handlers (see SCIMMY.Types.Resource~EgressHandler). */
export interface Store {
  findOne(kind: Kind, id: string): Promise<Resource | undefined>;
  findMany(kind: Kind, asked: { filter?: Filter; constraints: { startIndex?: number; count?: number } }): Promise<Listed>;
  create(kind: Kind, attributes: Resource): Promise<Resource>;
  update(kind: Kind, id: string, attributes: Resource): Promise<Resource | undefined>;
  remove(kind: Kind, id: string): Promise<boolean>;
}

/** What scimmy takes when a client does not say. */
export const USUAL_COUNT = 20;

/** `attribute eq "text"` and nothing else; undefined for every other filter. */
export function soleEquality(filter: Filter): { attribute: string; value: string } | undefined {
  const [only, ...alternatives] = filter;
  const [first, ...others] = Object.entries(only ?? {});
  if (!first || alternatives.length > 0 || others.length > 0) return undefined;
  const [attribute, comparison] = first;
  if (!Array.isArray(comparison) || comparison[0] !== "eq" || typeof comparison[1] !== "string") return undefined;
  return { attribute, value: comparison[1] };
}

export function stamped(id: string, attributes: Resource, created?: string): Resource {
  const now = new Date().toISOString();
  return { ...attributes, id, meta: { created: created ?? now, lastModified: now } };
}
