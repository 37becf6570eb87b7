import { z } from "zod";
import { Fault } from "../contract.ts";
import type { OktaClient } from "./client.ts";
import { readPages } from "./pages.ts";

const groupBody = z.object({ type: z.string(), profile: z.object({ name: z.string().optional() }).nullish() });
const PAGE_SIZE = 200;

/** Takes somebody out of a group that Okta itself manages, and reads back that they are out. Throws `gone` when either is not there. */
export async function removeFromGroup(
  client: OktaClient,
  { groupNativeId, memberNativeId }: { groupNativeId: string; memberNativeId: string },
): Promise<void> {
  const groupPath = `/api/v1/groups/${encodeURIComponent(groupNativeId)}`;
  const { body } = await client.call({ method: "GET", path: groupPath, what: `the reading of group ${groupNativeId}` });
  if (!(await isMember(client, { groupNativeId, memberNativeId }))) return;
  const group = groupBody.safeParse(body);
  if (!group.success) throw new Fault("transient", `Okta answered the reading of group ${groupNativeId} without a type.`);
  const name = group.data.profile?.name ?? groupNativeId;
  if (group.data.type === "APP_GROUP")
    throw new Fault(
      "rejected",
      `The group "${name}" was imported from an application, which manages its members: take ${memberNativeId} out there.`,
    );
  if (group.data.type !== "OKTA_GROUP")
    throw new Fault("rejected", `The group "${name}" is Okta's own (${group.data.type}): nobody can be taken out of it.`);
  const what = `the removal of ${memberNativeId} from group ${groupNativeId}`;
  await client.call({ method: "DELETE", path: `${groupPath}/users/${encodeURIComponent(memberNativeId)}`, what });
  if (await isMember(client, { groupNativeId, memberNativeId }))
    throw new Fault(
      "rejected",
      `Okta took ${what}, but ${memberNativeId} is still a member of "${name}": a group rule may put them back (Directory > Groups > Rules).`,
    );
}

/** By the person's groups, which are fewer than the group's people. */
async function isMember(
  client: OktaClient,
  { groupNativeId, memberNativeId }: { groupNativeId: string; memberNativeId: string },
): Promise<boolean> {
  const what = `the listing of the groups of ${memberNativeId}`;
  const path = `/api/v1/users/${encodeURIComponent(memberNativeId)}/groups`;
  for await (const page of readPages(client, { path, query: { limit: PAGE_SIZE }, what }))
    if (page.some(({ id }) => id === groupNativeId)) return true;
  return false;
}
