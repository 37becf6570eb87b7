import { EqualityFilter } from "ldapts";
import { Fault, type OpenOptions, type WriteBack } from "../contract.ts";
import { ofPerhapsProtected } from "./active-directory/protected.ts";
import { refusePrimaryGroup } from "./active-directory/primary-group.ts";
import { setAccountDisabled } from "./active-directory/set-disabled.ts";
import type { LdapClient, ModifyChange } from "./client.ts";
import type { LdapSettings } from "./config.ts";
import { shapeFor } from "./entry.ts";
import { findById } from "./find.ts";
import { LOCKED_TIME } from "./records.ts";
import { openDirectorySession, type Session } from "./session.ts";
import { refuseUnlocked } from "./usability.ts";

/** Locked for good, until an administrator unlocks it (draft-behera-ldap-password-policy section 5.3.3). */
export const LOCKED_FOR_GOOD = "000001010000Z";

const NO_SUCH_ATTRIBUTE = 16;
/** How Active Directory says that somebody is no member. */
const UNWILLING_TO_PERFORM = 53;
const OBJECT_CLASS_VIOLATION = 65;
const NOTHING = shapeFor([], () => false);

/** The few things that are written to a directory; each is read back. */
export async function openLdapWriteBack(options: OpenOptions<LdapSettings>): Promise<WriteBack> {
  const session = await openDirectorySession(options);
  return {
    disable: (nativeId) => setDisabled(session, { nativeId, disabled: true }),
    enable: (nativeId) => setDisabled(session, { nativeId, disabled: false }),
    removeFromGroup: (groupNativeId, memberNativeId) => removeFromGroup(session, { groupNativeId, memberNativeId }),
    close: async () => session.close(),
  };
}

async function setDisabled(session: Session, { nativeId, disabled }: { nativeId: string; disabled: boolean }): Promise<void> {
  const { disable, users } = session.settings;
  if (disable === undefined || users === undefined)
    throw new Fault(
      "misconfigured",
      "The settings do not say how an account is disabled: give users, and disable with kind ppolicy, userAccountControl or with an attribute.",
    );
  const what = disabled ? "the disabling of an account" : "the enabling of an account";
  const dn = await dnOf(session, { base: users.base, nativeId, what });
  if (disable.kind === "userAccountControl") return setAccountDisabled(session, { dn, disabled, what });
  const wanted = wantedValue(disable, disabled);
  const current = await session.call((client) => readValues(client, { dn, attribute: wanted.attribute, what }));
  // A lock of another kind, after wrong passwords say, is the directory's own and not ours to lift.
  const ours = disabled || disable.kind !== "ppolicy" || current.includes(LOCKED_FOR_GOOD);
  if (ours && !isSo(current, wanted.value)) {
    await session.call((client) =>
      client.modify({ dn, what, changes: [changeTo(wanted)], expected: wanted.value === undefined ? [NO_SUCH_ATTRIBUTE] : [] }),
    );
    const after = await session.call((client) => readValues(client, { dn, attribute: wanted.attribute, what }));
    if (!isSo(after, wanted.value)) {
      throw new Fault(
        "misconfigured",
        `The directory took ${what} (${dn}), but ${wanted.attribute} reads ${after.length === 0 ? "nothing" : `"${after.join('", "')}"`} afterwards. Let the sync account read ${wanted.attribute}, or choose another attribute in the setting disable.`,
      );
    }
  }
  if (disabled && disable.kind === "ppolicy")
    await refuseUnlocked(session, {
      dn,
      undo: isSo(current, wanted.value) ? undefined : changeTo({ attribute: LOCKED_TIME, value: current[0] }),
    });
}

interface Wanted {
  attribute: string;
  /** Undefined = the attribute is not there. */
  value: string | undefined;
}

function wantedValue(disable: Exclude<NonNullable<LdapSettings["disable"]>, { kind: "userAccountControl" }>, disabled: boolean): Wanted {
  if (disable.kind === "ppolicy") return { attribute: LOCKED_TIME, value: disabled ? LOCKED_FOR_GOOD : undefined };
  return { attribute: disable.attribute, value: disabled ? disable.disabledValue : disable.enabledValue };
}

function isSo(current: readonly string[], wanted: string | undefined): boolean {
  if (wanted === undefined) return current.length === 0;
  return current.length === 1 && current[0]?.toLowerCase() === wanted.toLowerCase();
}

function changeTo({ attribute, value }: Wanted): ModifyChange {
  return { operation: "replace", attribute, values: value === undefined ? [] : [value] };
}

async function readValues(
  client: LdapClient,
  { dn, attribute, what }: { dn: string; attribute: string; what: string },
): Promise<readonly string[]> {
  const [entry] = await client.search({
    base: dn,
    scope: "base",
    filter: "(objectClass=*)",
    shape: shapeFor([attribute], () => true),
    what,
  });
  const values = entry?.values[0];
  return Array.isArray(values) ? values : [];
}

async function removeFromGroup(
  session: Session,
  { groupNativeId, memberNativeId }: { groupNativeId: string; memberNativeId: string },
): Promise<void> {
  const { groups, users, memberAttributes, memberUidAttribute } = session.settings;
  if (groups === undefined) throw new Fault("misconfigured", "The settings do not say where groups are: give groups.base.");
  const what = "the removal of a member from a group";
  const group = await dnOf(session, { base: groups.base, nativeId: groupNativeId, what });
  const member = await findById(session, {
    base: users?.base ?? groups.base,
    nativeId: memberNativeId,
    shape: shapeFor([memberUidAttribute], () => true),
    what,
  });
  if (member === undefined) throw new Fault("gone", `The directory has no entry ${memberNativeId} any more, so it is in no group.`);
  if (session.settings.flavour === "activeDirectory") await refusePrimaryGroup(session, { group, member: member.dn, what });
  const logins = Array.isArray(member.values[0]) ? member.values[0] : [];
  for (const attribute of memberAttributes) {
    const names = attribute.toLowerCase() === "memberuid" ? logins : [member.dn];
    for (const value of names) await removeValue(session, { group, attribute, value, member: member.dn, what });
  }
}

async function removeValue(
  session: Session,
  options: { group: string; attribute: string; value: string; member: string; what: string },
): Promise<void> {
  const { group, attribute, value, member, what } = options;
  const isMember = () =>
    session.call(
      async (client) =>
        (await client.search({ base: group, scope: "base", filter: new EqualityFilter({ attribute, value }), shape: NOTHING, what }))
          .length > 0,
    );
  if (!(await isMember())) return;
  const changes: ModifyChange[] = [{ operation: "delete", attribute, values: [value] }];
  const change = () =>
    session.call((client) =>
      client.modify({ dn: group, what, changes, expected: [NO_SUCH_ATTRIBUTE, UNWILLING_TO_PERFORM, OBJECT_CLASS_VIOLATION] }),
    );
  const isActiveDirectory = session.settings.flavour === "activeDirectory";
  const status = await (isActiveDirectory ? ofPerhapsProtected(session, { dn: group, what, change }) : change());
  if (status === OBJECT_CLASS_VIOLATION) {
    throw new Fault(
      "rejected",
      `${member} is the last ${attribute} of ${group}, and the directory's schema lets such a group not be empty. Add another member first, or delete the group there.`,
    );
  }
  if (!(await isMember())) return;
  if (status === UNWILLING_TO_PERFORM) throw new Fault("rejected", `The directory is unwilling to take ${member} out of ${group}.`);
  throw new Fault(
    "misconfigured",
    `The directory took ${what}, but ${member} is still a ${attribute} of ${group}: perhaps the list is computed, and must be changed where it comes from.`,
  );
}

async function dnOf(session: Session, { base, nativeId, what }: { base: string; nativeId: string; what: string }): Promise<string> {
  const entry = await findById(session, { base, nativeId, shape: NOTHING, what });
  if (entry === undefined)
    throw new Fault("gone", `The directory has no entry with ${session.settings.nativeIdAttribute} ${nativeId} any more.`);
  return entry.dn;
}

/** Whether the sync account may do what the settings ask of it: takes away a value that nobody has, so that nothing changes. */
export async function mayWrite(
  session: Session,
  { dn, attribute, value }: { dn: string; attribute: string; value: string },
): Promise<true | string> {
  try {
    const changes: ModifyChange[] = [{ operation: "delete", attribute, values: [value] }];
    await session.call((client) => client.modify({ dn, what: `the writing of ${attribute}`, changes, expected: [NO_SUCH_ATTRIBUTE] }));
    return true;
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}
