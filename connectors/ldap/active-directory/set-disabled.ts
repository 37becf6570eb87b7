import { Fault } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import type { Session } from "../session.ts";
import { isEnabled, withDisabled } from "./account-control.ts";
import { ofPerhapsProtected } from "./protected.ts";

const ATTRIBUTE = "userAccountControl";
const SHAPE = shapeFor([ATTRIBUTE], () => false);
const CONSTRAINT_VIOLATION = 19;
const UNWILLING_TO_PERFORM = 53;

/** Sets or clears ACCOUNTDISABLE, leaves the other flags as they are, and reads back. Safe to repeat. */
export async function setAccountDisabled(
  session: Session,
  { dn, disabled, what }: { dn: string; disabled: boolean; what: string },
): Promise<void> {
  const before = await read(session, { dn, what });
  const wanted = withDisabled(before, disabled);
  if (wanted === undefined)
    throw new Fault("misconfigured", `${ATTRIBUTE} of ${dn} can't be read, needed for ${what}. Let the sync account read it.`);
  if (wanted === before) return;
  const change = () =>
    session.call((client) =>
      client.modify({
        dn,
        what,
        changes: [{ operation: "replace", attribute: ATTRIBUTE, values: [wanted] }],
        expected: [CONSTRAINT_VIOLATION, UNWILLING_TO_PERFORM],
      }),
    );
  const status = await ofPerhapsProtected(session, { dn, what, change });
  if (status !== 0)
    throw new Fault(
      "rejected",
      `Active Directory refused ${what} (${dn}, result code ${status}). ${
        disabled
          ? "It may be an account of the system's own."
          : "An account without a password that meets the domain's policy can't be enabled: reset its password first."
      }`,
    );
  if (isEnabled(await read(session, { dn, what })) !== !disabled)
    throw new Fault(
      "misconfigured",
      `Active Directory took ${what} (${dn}), but ${ATTRIBUTE} does not show it afterwards. Another program may be writing to it.`,
    );
}

async function read(session: Session, { dn, what }: { dn: string; what: string }): Promise<string | undefined> {
  const [entry] = await session.call((client) => client.search({ base: dn, scope: "base", filter: "(objectClass=*)", shape: SHAPE, what }));
  const value = entry?.values[0];
  return typeof value === "string" ? value : undefined;
}
