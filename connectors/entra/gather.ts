import { deltaPages, type Tracked } from "./delta.ts";
import type { GraphClient } from "./client.ts";
import { isObject, textOf, type WireObject } from "./json.ts";

/** What one round of a delta query says of one object, over all pages and repeats. */
export interface Gathered {
  /** As it was listed last, without its relationships. */
  properties: WireObject;
  /** Listed last as removed. */
  removed: boolean;
  /** Listed more than once, and not the same: which is newer can't be told from the order. */
  contradictory: boolean;
  /** Members by id, as listed last: true = in, false = taken out. */
  members: Map<string, boolean>;
}

export interface Round {
  objects: Map<string, Gathered>;
  /** Where the next round begins. */
  link: string;
}

const MEMBERS = "members@delta";

/** Reads a round to its end and merges what it says: an object may recur, its members spread over many pages, in any order. */
export async function gather(client: GraphClient, options: { tracked: Tracked; link?: string }): Promise<Round> {
  const objects = new Map<string, Gathered>();
  // The same member stands in many groups: one text for all of them.
  const ids = new Map<string, string>();
  const pages = deltaPages(client, options);
  for (;;) {
    const step = await pages.next();
    if (step.done) return { objects, link: step.value };
    for (const object of step.value.objects) mergeInto(objects, object, ids);
  }
}

/** Merges one listed object; one without id can't be meant. */
export function mergeInto(objects: Map<string, Gathered>, object: WireObject, ids = new Map<string, string>()): void {
  const id = textOf(object["id"]);
  if (id === undefined) return;
  const removed = isObject(object["@removed"]);
  const properties = removed ? {} : withoutMembers(object);
  const known = objects.get(id);
  const gathered = known ?? { properties, removed, contradictory: false, members: new Map<string, boolean>() };
  if (known) {
    if (known.removed !== removed || disagree(known.properties, properties)) known.contradictory = true;
    // Where a group recurs for its members, some of its properties may be left out.
    known.properties = removed ? {} : { ...known.properties, ...properties };
    known.removed = removed;
  } else objects.set(id, gathered);
  const members = object[MEMBERS];
  if (!Array.isArray(members)) return;
  for (const member of members as readonly unknown[]) {
    if (!isObject(member) || !isPersonOrGroup(member)) continue;
    const listed = textOf(member["id"]);
    if (listed === undefined) continue;
    const memberId = ids.get(listed) ?? listed;
    if (memberId === listed) ids.set(listed, listed);
    const isIn = !isObject(member["@removed"]);
    if ((gathered.members.get(memberId) ?? isIn) !== isIn) gathered.contradictory = true;
    gathered.members.set(memberId, isIn);
  }
}

/** Devices, applications and contacts may be members, too; nobody here knows them. Without a type it may be a person. */
export function isPersonOrGroup(member: WireObject): boolean {
  const type = member["@odata.type"];
  return typeof type !== "string" || type === "#microsoft.graph.user" || type === "#microsoft.graph.group";
}

function disagree(left: WireObject, right: WireObject): boolean {
  return Object.keys(right).some((name) => name in left && JSON.stringify(left[name]) !== JSON.stringify(right[name]));
}

function withoutMembers(object: WireObject): WireObject {
  return MEMBERS in object ? Object.fromEntries(Object.entries(object).filter(([name]) => name !== MEMBERS)) : object;
}
