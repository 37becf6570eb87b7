import { AppError } from "../../../errors.ts";
import { refuseNameless } from "../elements.ts";
import type { Filter } from "../filter/ast.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { isUuid } from "../view.ts";
import type { Operation } from "./operations.ts";

/** What a member can be. */
export type MemberType = "User" | "Group";

/**
 * How a group's members change, by our ids: never a read of the group. Who is in `typed` is removed as a member of that type only: of
 * another type they stay, and come where they are in `set` or `add`, too.
 */
export type MemberChange = ({ set: string[] } | { add: string[]; remove: string[] }) & { typed?: ReadonlyMap<string, MemberType> };

export interface MemberOptions {
  operations: readonly Operation[];
  /** See the setting replaceMembers of the connector scim-inbound. */
  replace: "authoritative" | "add";
  /** See the setting unknownMembers. */
  unknown?: "refuse" | "skip";
}

/** Folds the operations on `members`, in their order, into one change. Undefined when there are none. Throws `invalid`. */
export function memberChange({ operations, replace, unknown = "refuse" }: MemberOptions): MemberChange | undefined {
  if (operations.length === 0) return undefined;
  let whole: Set<string> | undefined;
  const add = new Set<string>();
  const remove = new Set<string>();
  const typed = new Map<string, MemberType>();
  const start = (ids: Iterable<string>) => {
    for (const before of [add, remove, typed]) before.clear();
    whole = new Set(ids);
  };
  for (const { op, path, value } of operations) {
    if (path.sub || (path.filter && op !== "remove")) {
      throw new AppError("invalid", "members: a member can't be changed: remove it and add another.", {
        field: "members",
        scimType: "mutability",
      });
    }
    if (op === "remove") {
      // Without a value everybody goes; an empty list names nobody.
      const goes = path.filter ? chosen(path.filter) : value === undefined ? undefined : listedIds(value).map((id): Chosen => ({ id }));
      if (!goes) start([]);
      for (const { id, type } of (goes ?? []).filter((one) => isUuid(one.id))) {
        const before = typed.get(id);
        const isSure = type === undefined || (before === undefined ? remove.has(id) : before !== type);
        remove.add(id);
        if (!isSure) typed.set(id, type);
        else {
          // Whoever goes as a user and as a group goes, whichever they are.
          typed.delete(id);
          whole?.delete(id);
          add.delete(id);
        }
      }
    } else if (op === "replace" && replace === "authoritative") {
      start(memberIds(value, { unknown }));
    } else {
      for (const id of validIds(value, { unknown })) {
        whole?.add(id);
        remove.delete(id);
        typed.delete(id);
        add.add(id);
      }
    }
  }
  const unsure = typed.size > 0 ? { typed } : {};
  return whole ? { set: [...whole], ...unsure } : { add: [...add], remove: [...remove], ...unsure };
}

/** The ids in a list of members, once each. Throws `invalid` for what can't be one of ours, unless such are to be passed over. */
export function memberIds(value: JsonValue | undefined, { unknown = "refuse" }: Pick<MemberOptions, "unknown"> = {}): string[] {
  return [...new Set(validIds(value, { unknown }))];
}

function validIds(value: JsonValue | undefined, { unknown }: Required<Pick<MemberOptions, "unknown">>): string[] {
  const listed = listedIds(value ?? []);
  const ids = unknown === "skip" ? listed.filter(isUuid) : listed;
  const wrong = ids.find((id) => !isUuid(id));
  if (wrong !== undefined)
    throw new AppError("invalid", `members: \`${wrong.slice(0, 100)}\` is not the id of a User or Group here.`, {
      field: "members.value",
      scimType: "invalidValue",
    });
  return ids;
}

/** Throws `invalid` for who is meant and not told. */
function listedIds(value: JsonValue): string[] {
  const ids: string[] = [];
  // Of thousands, a list for each would be the most part of what it takes.
  for (const member of Array.isArray(value) ? value : [value]) {
    const id = isJsonObject(member) ? (member["value"] ?? named(member, "value")) : member;
    if (typeof id === "string" && id !== "") ids.push(id.toLowerCase());
    else if (isJsonObject(member)) refuseNameless(member, "members");
  }
  return ids;
}

/** RFC 7643 section 2.1: names know no case. */
function named(member: JsonObject, name: string): JsonValue | undefined {
  return Object.entries(member).find(([other]) => other.toLowerCase() === name)?.[1];
}

/** Whom a path's filter chooses, and as a member of which type; of any when absent. */
interface Chosen {
  id: string;
  type?: MemberType | undefined;
}

/** `value eq "…"`, with the member's type or without, or several joined by or; who is meant otherwise could only be told by reading the group. */
function chosen(filter: Filter): Chosen[] {
  if (filter.kind === "or") return filter.filters.flatMap(chosen);
  if (filter.kind === "and") {
    // A name beside the id tells nobody apart.
    const [first, ...others] = filter.filters
      .filter((part) => saysOf(part, "type") === undefined && saysOf(part, "display") === undefined)
      .map(chosen);
    if (!first) throw unclear();
    const both = first.filter(({ id }) => others.every((other) => other.some((one) => one.id === id)));
    const types = filter.filters.flatMap((part) => saysOf(part, "type") ?? []);
    return types.reduce<Chosen[]>(asMembersOf, both);
  }
  const id = saysOf(filter, "value");
  if (id === undefined) throw unclear();
  return [{ id: id.toLowerCase() }];
}

/** The text that a filter says a member's sub-attribute equals. */
function saysOf(filter: Filter, name: string): string | undefined {
  const isIt = filter.kind === "compare" && filter.operator === "eq" && filter.target.attribute.name === name;
  return isIt && typeof filter.value === "string" ? filter.value : undefined;
}

/** Nobody is a member of two types, or of one that there is not. */
function asMembersOf(members: readonly Chosen[], said: string): Chosen[] {
  const type = (["User", "Group"] as const).find((one) => one.toLowerCase() === said.toLowerCase());
  return type === undefined ? [] : members.flatMap((one) => (one.type === undefined || one.type === type ? [{ ...one, type }] : []));
}

function unclear(): AppError {
  return new AppError("invalid", 'members: choose members by `value eq "<id>"`.', { field: "members", scimType: "invalidFilter" });
}
