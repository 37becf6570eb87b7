import { CUSTOM_USER } from "../../directory/attributes.ts";
import type { CustomAttribute } from "../../directory/custom-attributes.ts";
import { notEditableBy, visibleTo } from "../../directory/person-edit-rights.ts";
import { AppError } from "../../errors.ts";
import type { Call } from "./call.ts";
import { isJsonObject, sameJson, type JsonObject } from "./json.ts";
import type { ResourceSchema, Schemas } from "./schema.ts";

/** A client that is a person, who sees of the organisation's own attributes what the catalogue shows people. Keys, joined by commas. */
export interface PersonReader {
  personId: string;
  /** Shown to administrators only. */
  hidden: string;
  /** Shown to whom they are about, too. */
  own: string;
}

/** Undefined for a client that is nobody in particular, which is an origin and sees everything, and where nothing is kept back. */
export function personReader({ personId, schemas }: { personId: string | null; schemas: Schemas }): PersonReader | undefined {
  const attributes = schemas.ownAttributes ?? [];
  const hidden = attributes.filter(({ visibleTo: audience }) => audience === "admin");
  const own = attributes.filter(({ visibleTo: audience }) => audience === "self");
  if (personId === null || hidden.length + own.length === 0) return undefined;
  const keys = (list: readonly CustomAttribute[]) => list.map(({ key }) => key).join(",");
  return { personId, hidden: keys(hidden), own: keys(own) };
}

/** The schema that a whole resource of a person's is held to: what is not theirs to give stays as it is, and need not be given. */
export function replacedBy({ personId }: Call, schema: ResourceSchema): ResourceSchema {
  if (personId === null) return schema;
  const extensions = schema.extensions.map((extension) => {
    if (extension.urn !== CUSTOM_USER) return extension;
    const { required: _, ...rest } = extension;
    return {
      ...rest,
      attributes: new Map([...extension.attributes].map(([name, attribute]) => [name, { ...attribute, required: false }])),
    };
  });
  return { ...schema, extensions };
}

/**
 * What a person may make of a resource's own attributes (P2): those that are not theirs to change stay as they were when they are left out.
 * Throws `forbidden` for one that is given another value, `invalid` for a required one that is taken away.
 */
export function withOthersAttributes(
  { personId, schemas }: Call,
  { id, before, after }: { id: string | undefined; before: JsonObject; after: JsonObject },
): JsonObject {
  const catalogue = schemas.ownAttributes ?? [];
  if (personId === null || catalogue.length === 0) return after;
  const relation = id !== undefined && id.toLowerCase() === personId ? "self" : "other";
  const shown = new Set(visibleTo(relation, catalogue));
  const held = holderOf(before);
  const next = { ...holderOf(after) };
  for (const attribute of catalogue) {
    const { key, required } = attribute;
    const theirs = shown.has(attribute) && notEditableBy(relation, { keys: [`custom.${key}`], catalogue }).length === 0;
    if (theirs) {
      if (required && next[key] === undefined && held[key] !== undefined) throw missing(key);
    } else if (next[key] === undefined) {
      if (held[key] !== undefined) next[key] = held[key];
    } else if (!sameJson(next[key], held[key])) throw refused(key);
  }
  const { [CUSTOM_USER]: _, ...rest } = after;
  return Object.keys(next).length === 0 ? rest : { ...rest, [CUSTOM_USER]: next };
}

function holderOf(resource: JsonObject): JsonObject {
  const held = resource[CUSTOM_USER];
  return isJsonObject(held) ? held : {};
}

function refused(key: string): AppError {
  const path = `${CUSTOM_USER}:${key}`;
  return new AppError("forbidden", `${path} is not yours to change: an administrator does.`, { field: path });
}

function missing(key: string): AppError {
  const path = `${CUSTOM_USER}:${key}`;
  return new AppError("invalid", `${path} is required: it can be replaced, not removed.`, { field: path, scimType: "invalidValue" });
}
