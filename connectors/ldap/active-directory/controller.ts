import { Fault, type Cursor, type Kind } from "../../contract.ts";
import { shapeFor } from "../entry.ts";
import type { Session } from "../session.ts";

/** How changes are found: by replication with the right to it, by replication of what the account may read, or by number. */
export type Way = "dirSync" | "dirSyncOwn" | "uSNChanged";

/** One domain controller's database: a restored one has another invocationId (MS-ADTS 3.1.1.1.9). */
export interface Standing {
  service: string;
  invocationId: string;
  /** The last update sequence number given out, in decimal digits. */
  usn: string;
}

/** Undefined where the directory does not say: then it has no increments for us. */
export async function readStanding(session: Session): Promise<Standing | undefined> {
  const { domainController } = await session.freshRootDse();
  if (domainController === undefined) return undefined;
  const { service, highestCommittedUsn: usn } = domainController;
  const search = { base: service, scope: "base", filter: "(objectClass=*)", shape: INVOCATION_ID } as const;
  const found = await session.call((client) =>
    client.searchIfThere({ ...search, what: "the reading of the domain controller's invocationId" }),
  );
  const invocationId = found?.[0]?.values[0];
  return typeof invocationId === "string" ? { service, invocationId, usn } : undefined;
}

const INVOCATION_ID = shapeFor(["invocationId"], () => false);

export function cursorOf(standing: Standing, { kind, way, cookie }: { kind: Kind; way: Way; cookie?: Buffer | undefined }): Cursor {
  return { version: 1, kind, way, ...standing, ...(cookie === undefined ? {} : { cookie: cookie.toString("base64") }) };
}

/** Where a read resumes. Throws `expired` when what the cursor says holds no longer at the controller that answers now. */
export function resumeAt(
  since: Cursor,
  { kind, standing }: { kind: Kind; standing: Standing | undefined },
): { way: Way; usn: bigint; cookie: Buffer } {
  const { version, way, service, invocationId, usn, cookie } = since;
  const expired = (reason: string) => new Fault("expired", `${reason} A full read makes a new cursor.`);
  if (version !== 1 || since["kind"] !== kind || !isWay(way) || typeof usn !== "string" || !/^\d{1,20}$/.test(usn))
    throw expired("The cursor was not made by this version of the LDAP connector for Active Directory.");
  if (standing === undefined) throw expired("The directory no longer says which domain controller it is.");
  if (service !== standing.service) throw expired("Another domain controller answers than the one that made the cursor.");
  if (invocationId !== standing.invocationId) throw expired("The domain controller was restored (its invocationId changed).");
  if (BigInt(standing.usn) < BigInt(usn)) throw expired("The domain controller is at an earlier state than the cursor.");
  if (way !== "uSNChanged" && typeof cookie !== "string") throw expired("The cursor has no DirSync cookie.");
  return { way, usn: BigInt(usn), cookie: Buffer.from(typeof cookie === "string" ? cookie : "", "base64") };
}

function isWay(value: unknown): value is Way {
  return value === "dirSync" || value === "dirSyncOwn" || value === "uSNChanged";
}
