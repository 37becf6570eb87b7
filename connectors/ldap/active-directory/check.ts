import type { CheckResult, Kind } from "../../contract.ts";
import { shapeFor, type Entry } from "../entry.ts";
import type { Session } from "../session.ts";
import { chooseWay } from "./choose-way.ts";
import { readStanding } from "./controller.ts";

const NOUNS = { user: "user", group: "group", unit: "organizational unit" } as const;
const WRITABLE = shapeFor(["allowedAttributesEffective"], () => true);

/** What an increment will need, in the words of Active Directory Users and Computers. */
export async function checkIncrements(session: Session, base: string): Promise<CheckResult> {
  const name = "Changes";
  const standing = await readStanding(session);
  if (standing === undefined)
    return {
      name,
      ok: true,
      message:
        "the sync account can't read the invocationId of the domain controller (NTDS Settings in the configuration partition), so every read is a full one",
    };
  const { way } = await chooseWay(session, base);
  const { domainController } = await session.rootDse();
  const of = `${domainController?.hostName ?? standing.service}, invocationId ${standing.invocationId}`;
  const advice =
    'To see deletions at once, grant the sync account "Replicating Directory Changes" on the domain (Active Directory Users and Computers, View > Advanced Features, the domain\'s Properties > Security)';
  return {
    name,
    ok: true,
    message: {
      dirSync: `DirSync of ${of}`,
      dirSyncOwn: `DirSync, limited to what the sync account may read, of ${of}. ${advice}`,
      uSNChanged: `uSNChanged of ${of}. ${advice}`,
    }[way],
  };
}

/** Whether the sync account may write what write-back needs: the directory itself says so, nothing is tried. */
export async function checkAccountRights(
  session: Session,
  { samples, needed }: { samples: ReadonlyMap<Kind, Entry>; needed: boolean },
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [kind, title, attribute, permission] of [
    ["user", "Disabling accounts", "userAccountControl", "Write userAccountControl"],
    ["group", "Removing group members", "member", "Write Members"],
  ] as const) {
    const sample = samples.get(kind);
    if (sample === undefined) continue;
    const what = "the reading of what may be written";
    const [entry] = await session.call((client) =>
      client.search({ base: sample.dn, scope: "base", filter: "(objectClass=*)", shape: WRITABLE, what }),
    );
    const allowed = entry?.values[0];
    const may = Array.isArray(allowed) && allowed.some((name) => name.toLowerCase() === attribute.toLowerCase());
    const missing = `the sync account may not write ${attribute} of ${sample.dn}. Delegate "${permission}" for ${NOUNS[kind]} objects to it (Active Directory Users and Computers, the container, Delegate Control)`;
    results.push({
      name: title,
      ok: may || !needed,
      message: may ? `${attribute} may be written` : needed ? missing : `${missing}; only write-back needs it`,
    });
  }
  return results;
}
