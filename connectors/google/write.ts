import { Fault, type OpenOptions, type WriteBack } from "../contract.ts";
import { withRetry } from "../kit/retry.ts";
import { openGoogle, type GoogleClient } from "./client.ts";
import type { GoogleSettings } from "./config.ts";
import { isObject, textOf } from "./json.ts";
import { unitRecord } from "./records.ts";

/** A change may be seen everywhere only a little later. */
const LOOKS = 4;

interface Account {
  primaryEmail: string;
  suspended: boolean;
  /** Why, when suspended: ADMIN, or a reason of Google's own. */
  suspensionReason: string | undefined;
  orgUnitPath: string | undefined;
  customerId: string | undefined;
  admin: boolean;
}

/** Write-back to Google Workspace, in the administrator's name; each change is read back. */
export interface GoogleWriteBack extends WriteBack {
  /** Puts a person into an org unit, by the unit's id: services and policies there apply from then on. */
  moveToUnit(nativeId: string, unitNativeId: string): Promise<void>;
}

export async function openGoogleWriteBack(options: OpenOptions<GoogleSettings>): Promise<GoogleWriteBack> {
  const client = openGoogle(options);
  return {
    disable: (nativeId) => disable(client, nativeId),
    enable: (nativeId) => enable(client, nativeId),
    removeFromGroup: (groupNativeId, memberNativeId) => removeFromGroup(client, { groupNativeId, memberNativeId }),
    moveToUnit: (nativeId, unitNativeId) => moveToUnit(client, { nativeId, unitNativeId }),
    close: () => client.close(),
  };
}

async function disable(client: GoogleClient, nativeId: string): Promise<void> {
  const account = await accountOf(client, nativeId);
  if (!account.suspended) await change(client, { nativeId, account, values: { suspended: true }, isSo: ({ suspended }) => suspended });
  // Always, since an earlier try may have come no further than the suspension.
  if (client.settings.signOut)
    await client.call({ method: "POST", purpose: "signOut", path: `${pathOf(nativeId)}/signOut`, query: {}, expect: [] });
}

async function enable(client: GoogleClient, nativeId: string): Promise<void> {
  const account = await accountOf(client, nativeId);
  if (!account.suspended) return;
  if (account.suspensionReason !== undefined && account.suspensionReason !== "ADMIN")
    throw new Fault(
      "rejected",
      `Google itself has suspended ${account.primaryEmail} (${account.suspensionReason}). Look into it in the Admin console, under Directory > Users, and reactivate the user there.`,
    );
  await change(client, { nativeId, account, values: { suspended: false }, isSo: ({ suspended }) => !suspended });
}

async function moveToUnit(client: GoogleClient, { nativeId, unitNativeId }: { nativeId: string; unitNativeId: string }): Promise<void> {
  const account = await accountOf(client, nativeId);
  const { status, body } = await client.call({
    method: "GET",
    purpose: "readUnits",
    path: `/customer/${client.settings.customer}/orgunits/${encodeURIComponent(unitNativeId)}`,
    expect: [404],
  });
  const unit = status === 404 || !isObject(body) ? undefined : unitRecord(body);
  const orgUnitPath = unit !== undefined && "reference" in unit ? unit.reference : undefined;
  if (orgUnitPath === undefined)
    throw new Fault("rejected", `There is no org unit ${unitNativeId} any more, so ${account.primaryEmail} stays where it is.`);
  if (account.orgUnitPath === orgUnitPath) return;
  await change(client, { nativeId, account, values: { orgUnitPath }, isSo: (after) => after.orgUnitPath === orgUnitPath });
}

async function removeFromGroup(
  client: GoogleClient,
  { groupNativeId, memberNativeId }: { groupNativeId: string; memberNativeId: string },
): Promise<void> {
  const members = `/groups/${encodeURIComponent(groupNativeId)}/members`;
  const isMember = async (id: string) => {
    const { status } = await client.call({
      method: "GET",
      purpose: "writeMembers",
      path: `${members}/${encodeURIComponent(id)}`,
      expect: [404],
    });
    return status !== 404;
  };
  const { status } = await client.call({
    method: "DELETE",
    purpose: "writeMembers",
    path: `${members}/${encodeURIComponent(memberNativeId)}`,
    expect: [404],
  });
  if (status !== 404)
    return settled(client, {
      what: `member ${memberNativeId} of the group ${groupNativeId}`,
      isSo: async () => !(await isMember(memberNativeId)),
    });
  // Not a member by itself, or there is no such group or person; or the whole organisation is the member.
  const { customerId, primaryEmail } = await accountOf(client, memberNativeId);
  if (customerId !== undefined && (await isMember(customerId)))
    throw new Fault(
      "rejected",
      `${primaryEmail} is in the group ${groupNativeId} because the whole organisation is: take "all users in the organization" out of it in the Admin console, under Directory > Groups, or leave it.`,
    );
}

interface Change {
  nativeId: string;
  account: Account;
  values: Readonly<Record<string, string | boolean>>;
  isSo: (after: Account) => boolean;
}

async function change(client: GoogleClient, { nativeId, account, values, isSo }: Change): Promise<void> {
  try {
    await client.call({ method: "PATCH", purpose: "writeUsers", path: pathOf(nativeId), body: values, query: { fields: "id" } });
  } catch (error) {
    // One account that must not be touched says nothing about the others.
    if (error instanceof Fault && error.kind === "denied" && account.admin)
      throw new Fault(
        "rejected",
        `${account.primaryEmail} is an administrator, whom ${client.settings.administrator} may not change. Have a super administrator do it in the Admin console, under Directory > Users, or name one as administrator.`,
        { cause: error },
      );
    throw error;
  }
  await settled(client, { what: account.primaryEmail, isSo: async () => isSo(await accountOf(client, nativeId)) });
}

/** Reads back until the change shows; a change that does not is tried again later. */
async function settled(client: GoogleClient, { what, isSo }: { what: string; isSo: () => Promise<boolean> }): Promise<void> {
  await withRetry(
    async () => {
      if (!(await isSo())) throw new Fault("transient", `Google took the change of ${what}, but does not show it yet.`);
    },
    { signal: client.signal, attempts: LOOKS },
  );
}

/** Throws `gone` when there is no such user any more. */
async function accountOf(client: GoogleClient, nativeId: string): Promise<Account> {
  const { status, body } = await client.call({
    method: "GET",
    purpose: "writeUsers",
    path: pathOf(nativeId),
    query: { fields: "id,primaryEmail,suspended,suspensionReason,orgUnitPath,customerId,isAdmin,isDelegatedAdmin,deletionTime" },
    expect: [404],
  });
  if (status === 404 || (isObject(body) && body["deletionTime"] !== undefined))
    throw new Fault("gone", `Google Workspace has no user ${nativeId} any more.`);
  if (!isObject(body) || body["id"] !== nativeId)
    throw new Fault("transient", `Google answered for the user ${nativeId} with another one, or with none; nothing is changed.`);
  return {
    primaryEmail: textOf(body["primaryEmail"]) ?? nativeId,
    suspended: body["suspended"] === true,
    suspensionReason: textOf(body["suspensionReason"]),
    orgUnitPath: textOf(body["orgUnitPath"]),
    customerId: textOf(body["customerId"]),
    admin: body["isAdmin"] === true || body["isDelegatedAdmin"] === true,
  };
}

function pathOf(nativeId: string): string {
  return `/users/${encodeURIComponent(nativeId)}`;
}
