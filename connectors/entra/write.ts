import { Fault, type OpenOptions, type WriteBack } from "../contract.ts";
import { openClient, type GraphClient } from "./client.ts";
import type { EntraSettings } from "./config.ts";
import { codeOf } from "./faults.ts";
import { isObject, type WireObject } from "./json.ts";
import { listMemberships } from "./lookup.ts";
import { isId } from "./records.ts";

/** How often a write is looked for: replicas take a moment. */
const LOOKS = 4;

/** The few things that are written to a tenant; each is read back. */
export async function openEntraWriteBack(options: OpenOptions<EntraSettings>): Promise<WriteBack> {
  const client = openClient(options);
  return {
    disable: (nativeId) => disable(client, nativeId),
    enable: (nativeId) => setEnabled(client, { id: nativeId, enabled: true }),
    removeFromGroup: (groupNativeId, memberNativeId) => removeFromGroup(client, { groupId: groupNativeId, memberId: memberNativeId }),
    close: () => client.close(),
  };
}

/** Who is disabled already is signed out nevertheless: the first time may have ended between the two. */
async function disable(client: GraphClient, id: string): Promise<void> {
  await setEnabled(client, { id, enabled: false });
  if (client.settings.revokeSessions) await revokeSessions(client, id);
}

async function setEnabled(client: GraphClient, { id, enabled }: { id: string; enabled: boolean }): Promise<void> {
  const user = await readUser(client, id);
  if (user["accountEnabled"] === enabled) return;
  const { status, body } = await client.call({
    method: "PATCH",
    path: `/users/${id}`,
    body: { accountEnabled: enabled },
    needs: "User.EnableDisableAccount.All",
    alone: `the user ${id}`,
    expect: [400, 404],
  });
  if (status === 404) throw gone(id);
  if (status === 400) throw notWritable(body, { what: `accountEnabled of the user ${id}`, synced: user["onPremisesSyncEnabled"] === true });
  const so = await becomesSo(client, async () => (await readUser(client, id))["accountEnabled"] === enabled);
  if (!so)
    throw new Fault(
      "transient",
      `Microsoft Graph took accountEnabled ${enabled} for the user ${id}, but does not show it yet. It will be written again.`,
    );
}

/** Refresh tokens and session cookies end at once, access tokens within the hour that they live. */
async function revokeSessions(client: GraphClient, id: string): Promise<void> {
  const before = validFrom(await readUser(client, id));
  const { status, body } = await client.call({
    method: "POST",
    path: `/users/${id}/revokeSignInSessions`,
    needs: "User.RevokeSessions.All",
    alone: `the user ${id}`,
    expect: [404],
  });
  if (status === 404) throw gone(id);
  const taken = isObject(body) ? body["value"] : undefined;
  if (taken === false) throw new Fault("transient", `Microsoft Graph did not sign the user ${id} out. It will be tried again.`);
  const so = await becomesSo(client, async () => {
    const after = validFrom(await readUser(client, id));
    // Without the right to see it there is only the answer to go by.
    return after === undefined ? before === undefined : before === undefined || after > before;
  });
  if (!so)
    throw new Fault(
      "transient",
      `Microsoft Graph says that the user ${id} was signed out, but older sessions are still valid. It will be tried again.`,
    );
}

function validFrom(user: WireObject): number | undefined {
  const at = user["signInSessionsValidFromDateTime"];
  const time = typeof at === "string" ? Date.parse(at) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

async function removeFromGroup(client: GraphClient, { groupId, memberId }: { groupId: string; memberId: string }): Promise<void> {
  if (!isId(groupId)) throw new Fault("gone", `The tenant has no group ${groupId}.`);
  if (!(await isMember(client, { groupId, memberId }))) return;
  const { status, body } = await client.call({
    method: "DELETE",
    path: `/groups/${groupId}/members/${memberId}/$ref`,
    needs: "GroupMember.ReadWrite.All",
    alone: `the group ${groupId}`,
    // Somebody else may have been quicker.
    expect: [400, 404],
  });
  if (status === 400) throw notWritable(body, { what: `the members of the group ${groupId}`, synced: false });
  if (!(await becomesSo(client, async () => !(await isMember(client, { groupId, memberId })))))
    throw new Fault(
      "transient",
      `Microsoft Graph took ${memberId} out of the group ${groupId}, but still lists it. It will be tried again.`,
    );
}

/** From the member's side, which is short; the group's may be very long. */
async function isMember(client: GraphClient, { groupId, memberId }: { groupId: string; memberId: string }): Promise<boolean> {
  await readUser(client, memberId);
  return (await listMemberships({ client }, memberId)).some(({ id }) => id === groupId);
}

async function readUser(client: GraphClient, id: string): Promise<WireObject> {
  if (!isId(id)) throw gone(id);
  const { status, body } = await client.call({
    method: "GET",
    path: `/users/${id}`,
    query: { $select: "id,accountEnabled,onPremisesSyncEnabled,signInSessionsValidFromDateTime" },
    needs: "User.Read.All",
    expect: [404],
  });
  if (status === 404) throw gone(id);
  if (!isObject(body))
    throw new Fault("transient", `Microsoft Graph answered for the user ${id} with something else. It will be asked again.`);
  return body;
}

async function becomesSo(client: GraphClient, look: () => Promise<boolean>): Promise<boolean> {
  for (let looks = 1; ; looks++) {
    if (await look()) return true;
    if (looks === LOOKS) return false;
    await client.pause(client.settings.retry.firstDelayMs * looks);
  }
}

function gone(id: string): Fault {
  return new Fault("gone", `The tenant has no user ${id} any more.`);
}

function notWritable(body: unknown, { what, synced }: { what: string; synced: boolean }): Fault {
  const why = synced
    ? "The user is synchronised from an Active Directory of your own: write back to that directory instead."
    : "A group with dynamic membership, one that is synchronised from an Active Directory of your own, or one that Exchange keeps must be changed where it comes from.";
  return new Fault("rejected", `Microsoft Graph refuses to change ${what} (${codeOf(body) ?? 400}). ${why}`);
}
