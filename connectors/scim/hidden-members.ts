import { Fault } from "../contract.ts";
import type { ScimClient } from "./client.ts";

/**
 * Whether somebody is in a group, asked by a filter: some applications (AWS IAM Identity Center) answer every group with an
 * empty list. Undefined where filters by members are refused, unknown, or ignored: who is asked about first is nobody's member.
 */
export async function isMember(
  client: ScimClient,
  { groupId, memberId }: { groupId: string; memberId: string },
): Promise<boolean | undefined> {
  const { filter } = await client.abilities();
  if (!filter) return undefined;
  const holds = async (member: string) => {
    const { resources } = await client.list("group", {
      filter: `id eq ${JSON.stringify(groupId)} and members eq ${JSON.stringify(member)}`,
    });
    return resources.some(({ id }) => id === groupId);
  };
  try {
    return (await holds(groupId)) ? undefined : await holds(memberId);
  } catch (error) {
    // A 404 may mean that nobody matches, or that there are no such filters: by that alone nobody is out.
    if (error instanceof Fault && (error.kind === "rejected" || error.kind === "gone")) return undefined;
    throw error;
  }
}
