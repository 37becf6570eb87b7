import { BerReader, Control, SearchEntry } from "ldapts";
import { Fault } from "../contract.ts";
import type { ModifyChange } from "./client.ts";
import { shapeFor } from "./entry.ts";
import type { Session } from "./session.ts";

/** Account usability (draft-wibrow-ldap-acct-usable): a server's own word on whether an account can sign in. */
const ACCOUNT_USABILITY = "1.3.6.1.4.1.42.2.27.9.5.8";
const AVAILABLE = 0x80;
const NOT_AVAILABLE = 0xa1;

const NO_POLICY =
  "no password policy with pwdLockout: TRUE applies to it, and without one pwdAccountLockedTime locks nobody. Set ppolicy_default to such a policy (or pwdPolicySubentry of the account), or use the setting disable with an attribute that your applications look at.";

/**
 * Throws when an account that carries a lock can still sign in. OpenLDAP takes pwdAccountLockedTime from anybody who may
 * write it, and then ignores it unless a policy with lock-out applies.
 * @param undo what takes the useless lock away again
 */
export async function refuseUnlocked(session: Session, { dn, undo }: { dn: string; undo: ModifyChange | undefined }): Promise<void> {
  const doubt = await doubtOf(session, dn);
  if (doubt === undefined) return;
  if (undo) await session.call((client) => client.modify({ dn, what: "the undoing of a lock without effect", changes: [undo] }));
  throw new Fault("misconfigured", `${dn} can't be locked by pwdAccountLockedTime: ${doubt}`);
}

async function doubtOf(session: Session, dn: string): Promise<string | undefined> {
  const { supportedControls } = await session.rootDse();
  if (!supportedControls.includes(ACCOUNT_USABILITY)) return (await hasLockoutPolicy(session, dn)) ? undefined : NO_POLICY;
  const usability = await askUsability(session, dn);
  if (usability === "unusable") return undefined;
  if (usability === "usable" || (await exists(session, { base: dn, scope: "base", filter: "(userPassword=*)" }))) return NO_POLICY;
  // Silence about an account is right where it has no password; where we may see no password at all, it says nothing.
  const { users } = session.settings;
  if (users !== undefined && (await exists(session, { base: users.base, scope: users.scope, filter: "(userPassword=*)" })))
    return undefined;
  return (await hasLockoutPolicy(session, dn))
    ? "the sync account may not see whether it has a password, so the lock can't be verified. Give it search access to userPassword (OpenLDAP: =s)."
    : NO_POLICY;
}

async function askUsability(session: Session, dn: string): Promise<"usable" | "unusable" | "silent"> {
  let answer: "usable" | "unusable" | "silent" = "silent";
  class AccountUsability extends Control {
    protected override parseControl(reader: BerReader): void {
      const tag = reader.peek();
      if (tag === AVAILABLE) answer = "usable";
      if (tag === NOT_AVAILABLE) answer = "unusable";
    }
  }
  const control = new AccountUsability(ACCOUNT_USABILITY);
  const onMessage = (message: Buffer) => {
    const reader = new BerReader(message);
    reader.readSequence();
    const messageId = reader.readInt() ?? 0;
    reader.readSequence();
    new SearchEntry({ messageId }).parse(reader, [control]);
  };
  const shape = shapeFor([], () => false);
  await session.call((client) =>
    client.searchRaw({
      base: dn,
      scope: "base",
      filter: "(objectClass=*)",
      shape,
      controls: [control],
      onMessage,
      what: "the reading back of a lock",
    }),
  );
  return answer;
}

async function hasLockoutPolicy(session: Session, dn: string): Promise<boolean> {
  const base = await session.suffixOf(dn);
  return exists(session, { base, scope: "sub", filter: "(&(objectClass=pwdPolicy)(pwdLockout=TRUE))" });
}

async function exists(session: Session, search: { base: string; scope: "base" | "one" | "sub"; filter: string }): Promise<boolean> {
  const page = await session.call((client) =>
    client.page({ ...search, shape: shapeFor([], () => false), pageSize: 1, what: "the reading back of a lock" }),
  );
  return page.entries.length > 0;
}
