import { Fault, type RecordProblem, type SourceRecord } from "../contract.ts";
import type { GoogleClient } from "./client.ts";
import { textOf } from "./json.ts";
import { listPages } from "./listing.ts";

export interface MembersOptions {
  /** The group's record, still without members. */
  group: SourceRecord;
  /** How many members the group itself says that it has (directMembersCount), at least. */
  atLeast: number;
  /** Ids of all users, for a group to which the whole organisation belongs. */
  everybody: () => Promise<readonly string[]>;
}

export interface MembersRead {
  record: SourceRecord;
  problem?: RecordProblem;
}

/**
 * A group with its direct members, by id. Where Google lists fewer than it counts, even when asked again, nobody is taken out of the
 * group for it. Undefined when the group was deleted meanwhile.
 */
export async function withMembers(client: GoogleClient, { group, atLeast, everybody }: MembersOptions): Promise<MembersRead | undefined> {
  let listed = await listMembers(client, group.nativeId);
  if (listed !== undefined && !isWhole(listed, atLeast)) listed = await listMembers(client, group.nativeId);
  if (listed === undefined) return undefined;
  if (listed.organisation) for (const id of await everybody()) listed.ids.add(id);
  const ids = [...listed.ids];
  if (isWhole(listed, atLeast)) return { record: { ...group, members: { set: ids } } };
  return {
    record: { ...group, members: { add: ids, remove: [] } },
    problem: {
      kind: "group",
      nativeId: group.nativeId,
      code: "members_incomplete",
      message: `Google lists ${listed.count} members of ${String(group.attributes["email"] ?? group.nativeId)} but counts ${atLeast}; its members stay as they were until both agree.`,
    },
  };
}

interface Listed {
  ids: Set<string>;
  /** Members of every type, each once. */
  count: number;
  /** The whole organisation is a member. */
  organisation: boolean;
  complete: boolean;
}

function isWhole({ complete, count }: Listed, atLeast: number): boolean {
  return complete && count >= atLeast;
}

/** Undefined when there is no such group. */
async function listMembers(client: GoogleClient, groupId: string): Promise<Listed | undefined> {
  const listed: Listed = { ids: new Set(), count: 0, organisation: false, complete: false };
  const keys = new Set<string>();
  const pages = listPages(client, {
    purpose: "readGroups",
    path: `/groups/${encodeURIComponent(groupId)}/members`,
    query: { maxResults: client.settings.groupPageSize },
    kind: "admin#directory#members",
    items: "members",
    fields: "id,email,type",
  });
  try {
    let step = await pages.next();
    for (; !step.done; step = await pages.next()) {
      for (const member of step.value) {
        const id = textOf(member["id"]);
        // Somebody invited by an address that is no account has no id.
        keys.add(id ?? textOf(member["email"]) ?? "");
        if (member["type"] === "CUSTOMER") listed.organisation = true;
        else if (id !== undefined) listed.ids.add(id);
      }
    }
    listed.complete = step.value;
  } catch (error) {
    if (error instanceof Fault && error.kind === "gone") return undefined;
    throw error;
  }
  listed.count = keys.size;
  return listed;
}
