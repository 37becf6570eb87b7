import { AppError } from "../../../errors.ts";
import { refuseNameless } from "../elements.ts";
import type { Filter } from "../filter/ast.ts";
import { isJsonObject, type JsonValue } from "../json.ts";
import { isUuid } from "../view.ts";
import type { Operation } from "./operations.ts";

/** How a group's members change, by our ids: never a read of the group. */
export type MemberChange = { set: string[] } | { add: string[]; remove: string[] };

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
  const start = (ids: Iterable<string>) => {
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
      const goes = path.filter ? chosenIds(path.filter) : value === undefined ? undefined : listedIds(value);
      if (!goes) start([]);
      for (const id of (goes ?? []).filter(isUuid)) {
        whole?.delete(id);
        add.delete(id);
        remove.add(id);
      }
    } else if (op === "replace" && replace === "authoritative") {
      start(memberIds(value, { unknown }));
    } else {
      for (const id of memberIds(value, { unknown })) {
        whole?.add(id);
        remove.delete(id);
        add.add(id);
      }
    }
  }
  return whole ? { set: [...whole] } : { add: [...add], remove: [...remove] };
}

/** The ids in a list of members, once each. Throws `invalid` for what can't be one of ours, unless such are to be passed over. */
export function memberIds(value: JsonValue | undefined, { unknown = "refuse" }: Pick<MemberOptions, "unknown"> = {}): string[] {
  const listed = listedIds(value ?? []);
  const ids = unknown === "skip" ? listed.filter(isUuid) : listed;
  const wrong = ids.find((id) => !isUuid(id));
  if (wrong !== undefined)
    throw new AppError("invalid", `members: \`${wrong.slice(0, 100)}\` is not the id of a User or Group here.`, {
      field: "members.value",
      scimType: "invalidValue",
    });
  return [...new Set(ids)];
}

/** Throws `invalid` for who is meant and not told. */
function listedIds(value: JsonValue): string[] {
  return (Array.isArray(value) ? value : [value]).flatMap((member) => {
    const id = isJsonObject(member) ? member["value"] : member;
    if (typeof id === "string" && id !== "") return [id.toLowerCase()];
    if (isJsonObject(member)) refuseNameless(member, "members");
    return [];
  });
}

/** `value eq "…"`, or several joined by or; who is meant otherwise could only be told by reading the group. */
function chosenIds(filter: Filter): string[] {
  if (filter.kind === "compare" && filter.operator === "eq" && filter.target.attribute.name === "value" && typeof filter.value === "string")
    return [filter.value.toLowerCase()];
  if (filter.kind === "or") return filter.filters.flatMap(chosenIds);
  if (filter.kind === "and") {
    const identifying = filter.filters.find((part) => part.kind === "compare" && part.target.attribute.name === "value");
    if (identifying) return chosenIds(identifying);
  }
  throw new AppError("invalid", 'members: choose members by `value eq "<id>"`.', { field: "members", scimType: "invalidFilter" });
}
