import { Control } from "ldapts";
import { Fault, type Kind } from "../../contract.ts";
import { isWithin, normaliseDn } from "../dn.ts";
import { shapeFor } from "../entry.ts";
import { readAllPages } from "../pages.ts";
import type { Session } from "../session.ts";
import { isRefusal } from "./choose-way.ts";

const CLASSES = { user: "user", group: "group", unit: "organizationalUnit" } as const;
const PAGE_SIZE = 500;

/** The class that a deleted object of a kind still has; the category that filters ask for is taken from it. */
export function classOf(kind: Kind): string {
  return CLASSES[kind];
}

/** LDAP_SERVER_SHOW_DELETED_OID (MS-ADTS 3.1.1.3.4.1.14). */
class ShowDeleted extends Control {
  constructor() {
    super("1.2.840.113556.1.4.417", { critical: true });
  }
}

/**
 * Ids of what was deleted after an update sequence number (MS-ADTS 3.1.1.5.5). Empty for an account that may not see
 * deleted objects, which is usual: then the listing of ids tells who is gone.
 */
export async function deletedAfter(
  session: Session,
  { base, kind, after }: { base: string; kind: Kind; after: bigint },
): Promise<string[]> {
  const suffix = await session.suffixOf(base);
  try {
    const entries = await readAllPages(session, {
      // The well-known GUID of Deleted Objects: its name depends on the language.
      base: `<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,${suffix}>`,
      scope: "one",
      filter: `(&(isDeleted=TRUE)(objectClass=${classOf(kind)})(uSNChanged>=${after + 1n}))`,
      shape: shapeFor(["objectGUID"], () => false),
      controls: [new ShowDeleted()],
      what: "the read of deleted objects",
      pageSize: PAGE_SIZE,
    });
    return entries.flatMap(({ values }) => (typeof values[0] === "string" ? [values[0]] : []));
  } catch (error) {
    if (isRefusal(error)) return [];
    throw error;
  }
}

/**
 * Renaming or moving a unit renames all below it, and Active Directory marks none of them as changed: only a full read
 * learns their new names.
 */
export async function refuseRenamedUnits(session: Session, names: readonly string[]): Promise<void> {
  const { users, groups, units } = session.settings;
  const bases = [users, groups, units].flatMap((entries) => (entries === undefined ? [] : [normaliseDn(entries.base)]));
  const concerned = names.find((name) => {
    const unit = normaliseDn(name);
    return bases.some((base) => isWithin(unit, base) || isWithin(base, unit));
  });
  if (concerned !== undefined)
    throw new Fault("expired", `${concerned} was renamed or moved, and with it everything below. A full read learns the new names.`);
}
