import { isDeepStrictEqual } from "node:util";
import type { AttributeObject, AttributeValue } from "../../connectors/contract.ts";
import { fromProfile, type Contribution } from "../directory/attributes.ts";
import { mergeOrigins, type Merged } from "./merge.ts";
import { audible, localOrigin, storedOrigin, type Speakers } from "./origins.ts";
import type { KnownPerson } from "./records.ts";

/** Attribute key to what it is to be; null = emptied. */
export type LocalChanges = Readonly<Record<string, AttributeValue | null>>;

export interface LocalEdit {
  person: Pick<KnownPerson, "attributes" | "local" | "origins" | "mastery" | "originBlocks">;
  /** Of the manager, as it stands. */
  managerId: string | null;
  speakers: Pick<Speakers, "mappingOf" | "silent" | "signIns">;
  changes: LocalChanges;
  /** Decides which of an account's words hold already (a transfer ahead). */
  now: Date;
}

export interface DecidedEdit {
  /** Attributes that stay what an origin says, with that connection: the edit is refused for them. */
  refused: readonly { key: string; connectionId: number }[];
  /** Attributes that would be another than they are, the refused ones included. */
  asked: readonly string[];
  /** What really changes. */
  changed: readonly string[];
  /** The contribution of the origin `local` from now on. */
  local: Contribution;
  merged: Pick<Merged, "profile" | "custom" | "mastery" | "manager">;
}

/**
 * What an edit made here comes to. Pure. The edit is one more origin's word (`local`) and is merged as all are: it holds where no origin
 * gives the attribute, and where the mapping puts the origin's word behind it (a precedence above LOCAL_PRECEDENCE); elsewhere it is
 * refused, never kept unseen (invariant 9). Emptying what was edited here gives the attribute back to the origin.
 */
export function decideLocalEdit({ person, managerId, speakers, changes, now }: LocalEdit): DecidedEdit {
  const before = currentContribution({ attributes: person.attributes, managerId });
  const all: Speakers = { ...speakers, connectionId: 0, precedence: 0, mapping: speakers.mappingOf(0) };
  const origins = audible(speakers, person.origins).map((origin) => storedOrigin(all, { origin, person, now }));
  // Of whom nobody else speaks any more, everything that is known is said here.
  const held: Contribution = origins.length === 0 ? { ...before, ...person.local } : (person.local ?? {});
  const wanted = Object.entries(changes).filter(([key, value]) => !isDeepStrictEqual(before[key] ?? null, emptied(value)));
  const local = withChanges(held, Object.fromEntries(wanted));
  const merged = mergeOrigins([...origins, ...localOrigin({ ...asKnown(person), local })]);
  const after = contributionOf(merged);
  const refused = wanted.flatMap(([key, value]) => {
    const next = after[key] ?? null;
    if (isDeepStrictEqual(next, emptied(value)) || (emptied(value) === null && held[key] !== undefined)) return [];
    const connectionId = merged.mastery[key] ?? merged.mastery["*"] ?? merged.manager?.connectionId;
    return connectionId === undefined || connectionId === null ? [] : [{ key, connectionId }];
  });
  const changed = wanted.map(([key]) => key).filter((key) => !isDeepStrictEqual(before[key] ?? null, after[key] ?? null));
  return { refused, asked: wanted.map(([key]) => key), changed: changed.sort(), local, merged };
}

/** What was edited here and is not to be seen, because an origin says otherwise. */
export function overriddenEdits({
  attributes,
  managerId,
  local,
}: {
  attributes: AttributeObject;
  managerId: string | null;
  local: Contribution | null;
}): string[] {
  const shown = currentContribution({ attributes, managerId });
  return Object.entries(local ?? {})
    .filter(([key, value]) => emptied(value ?? null) !== null && !isDeepStrictEqual(shown[key], value))
    .map(([key]) => key)
    .sort();
}

/** The merged person as a contribution, the manager by id. */
export function currentContribution({ attributes, managerId }: { attributes: AttributeObject; managerId: string | null }): Contribution {
  return { ...fromProfile(attributes), ...(managerId === null ? {} : { manager: managerId }) };
}

function contributionOf({ profile, manager }: Pick<Merged, "profile" | "manager">): Contribution {
  return { ...fromProfile(profile), ...(manager ? { manager: manager.reference } : {}) };
}

function withChanges(held: Contribution, changes: LocalChanges): Contribution {
  const next: Record<string, AttributeValue> = {};
  for (const [key, value] of Object.entries({ ...held, ...changes }))
    if (value !== undefined && emptied(value) !== null) next[key] = value as AttributeValue;
  return next;
}

/** An empty text and an empty list say nothing (RFC 7643 section 2.5). */
function emptied(value: AttributeValue | null): AttributeValue | null {
  return value === "" || (Array.isArray(value) && value.length === 0) ? null : value;
}

function asKnown(person: LocalEdit["person"]): KnownPerson {
  return { id: "", version: 0, state: "", custom: {}, absences: [], ...person };
}
