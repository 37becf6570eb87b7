import { Fault } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import type { Session } from "../session.ts";

/**
 * Throws where a group is somebody's primary group: that membership stands on the account, and can't be taken away without
 * giving another. To answer success would be untrue.
 */
export async function refusePrimaryGroup(
  session: Session,
  { group, member, what }: { group: string; member: string; what: string },
): Promise<void> {
  const valueOf = async (base: string, attribute: string) => {
    const shape = shapeFor([attribute], () => false);
    const [entry] = await session.call((client) => client.search({ base, scope: "base", filter: "(objectClass=*)", shape, what }));
    return entry?.values[0];
  };
  const token = await valueOf(group, "primaryGroupToken");
  if (token === undefined || token !== (await valueOf(member, "primaryGroupID"))) return;
  throw new Fault(
    "rejected",
    `${group} is the primary group of ${member}, and Active Directory lets nobody leave that. Set another primary group there (Member Of, Set Primary Group) first.`,
  );
}
