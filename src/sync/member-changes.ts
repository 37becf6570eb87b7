import type { SourceRecord } from "../../connectors/contract.ts";

type Members = NonNullable<SourceRecord["members"]>;

/** Whether a record changes members without listing them all: it says something new whatever else it repeats. */
export function changesMembers({ members }: SourceRecord): boolean {
  return members !== undefined && !("set" in members) && members.add.length + members.remove.length > 0;
}

/** What two records of one group, read one after the other, say together of its members (RFC 7644 section 3.5.2 has the same order). */
export function mergeMembers(earlier: Members | undefined, later: Members | undefined): Members | undefined {
  if (later === undefined) return earlier;
  if (earlier === undefined || "set" in later) return later;
  const added = new Set(later.add);
  const removed = new Set(later.remove);
  if ("set" in earlier) return { set: [...new Set([...earlier.set.filter((member) => !removed.has(member)), ...added])] };
  return {
    add: [...new Set([...earlier.add.filter((member) => !removed.has(member)), ...added])],
    remove: [...new Set([...earlier.remove.filter((member) => !added.has(member)), ...removed])],
  };
}
