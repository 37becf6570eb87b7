import { Fault } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import type { Session } from "../session.ts";

const SHAPE = shapeFor(["adminCount"], () => false);

/**
 * A change of one entry. Active Directory takes delegated rights away from its administrators and their groups once an hour
 * (AdminSDHolder): a refusal of one of them says nothing about all others. Throws `rejected` for it, else what `change` throws.
 */
export async function ofPerhapsProtected<T>(
  session: Session,
  { dn, what, change }: { dn: string; what: string; change: () => Promise<T> },
): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== "denied" || !(await isProtected(session, { dn, what }))) throw error;
    throw new Fault(
      "rejected",
      `Active Directory refused ${what} (${dn}): it is one of its administrators or their groups, or was (adminCount is 1), which keep no delegated rights. Let a domain administrator do it, or give the sync account that right on CN=AdminSDHolder,CN=System.`,
      { cause: error },
    );
  }
}

async function isProtected(session: Session, { dn, what }: { dn: string; what: string }): Promise<boolean> {
  const [entry] = await session.call((client) => client.search({ base: dn, scope: "base", filter: "(objectClass=*)", shape: SHAPE, what }));
  return entry?.values[0] === "1";
}
