import type { AttributeObject, AttributeValue, SourceRecord } from "../../connectors/contract.ts";
import type { Contribution } from "../directory/attributes.ts";
import { AppError } from "../errors.ts";

/** Most bytes in UTF-8 of what somebody is found by: an index holds it, and takes no text of any length (PostgreSQL: 2,704 for a row of a B-tree). */
export const LONGEST_FOUND_BY = 1600;
/** Of what a system calls its records by, distinguished names among them: nothing else stands beside it. */
const LONGEST_REFERENCE = 2600;

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/** Of an account as it was read; all else there stands in no index. */
const READ = ["userName", "externalId", "displayName"] as const;
/** Of people, groups and units. */
const MAPPED = ["userName", "displayName", "employeeNumber", "externalId", "name", "code"] as const;

/** Throws `invalid`, naming the value, for a record of which an index can't take something: it alone is left as it was. Pure. */
export function refuseUnfindable(record: SourceRecord, contribution: Contribution): void {
  for (const name of READ) refuseTooLong(record.attributes[name], name);
  for (const name of MAPPED) refuseTooLong(contribution[name], name);
  for (const address of listed(contribution["emails"])) refuseTooLong(objectOf(address)["value"], "emails");
  refuseTooLong(objectOf(objectOf(record.attributes[ENTERPRISE])["manager"])["value"], "manager");
  refuseReferences(record, contribution);
}

/** Those that nobody has yet wait in an index, too. */
function refuseReferences({ nativeId, reference, parent, members }: SourceRecord, { manager, units }: Contribution): void {
  refuseTooLong(nativeId, "its id", LONGEST_REFERENCE);
  refuseTooLong(reference, "its reference", LONGEST_REFERENCE);
  refuseTooLong(parent, "parent", LONGEST_REFERENCE);
  refuseTooLong(manager, "manager", LONGEST_REFERENCE);
  for (const unit of listed(units)) refuseTooLong(unit, "units", LONGEST_REFERENCE);
  if (!members) return;
  for (const list of Object.values(members)) for (const member of list) refuseTooLong(member, "members", LONGEST_REFERENCE);
}

function refuseTooLong(value: AttributeValue | undefined, name: string, most = LONGEST_FOUND_BY): void {
  const bytes = typeof value === "string" ? bytesBeyond(value, most) : undefined;
  if (bytes !== undefined)
    throw new AppError("invalid", `${name} has ${bytes} bytes in UTF-8, and may have ${most}: nobody could be found by it.`, {
      field: name,
    });
}

/** How many bytes a text has in UTF-8, where they are more than this. */
export function bytesBeyond(text: string, most: number): number | undefined {
  // A letter has at most three bytes here: short texts need no counting.
  if (text.length * 3 <= most) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > most ? bytes : undefined;
}

function objectOf(value: AttributeValue | undefined): AttributeObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as AttributeObject) : {};
}

function listed(value: AttributeValue | undefined): readonly AttributeValue[] {
  return Array.isArray(value) ? value : [];
}
