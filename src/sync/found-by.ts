import type { AttributeObject, AttributeValue, SourceRecord } from "../../connectors/contract.ts";
import type { Contribution } from "../directory/attributes.ts";
import { AppError } from "../errors.ts";

/** Most bytes in UTF-8 of what somebody is found by: an index holds it, and takes no text of any length (PostgreSQL: 2,704 for a row of a B-tree). */
export const LONGEST_FOUND_BY = 1600;
/** Of what a system calls its records by, distinguished names among them: nothing else stands beside it. */
const LONGEST_REFERENCE = 2600;

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const FOUND_BY = ["userName", "email", "displayName", "employeeNumber", "externalId", "name", "code"] as const;

/** Throws `invalid`, naming the value, for a record of which an index can't take something: it alone is left as it was. Pure. */
export function refuseUnfindable(record: SourceRecord, contribution: Contribution): void {
  refuseTooLong(record.nativeId, "its id", LONGEST_REFERENCE);
  refuseTooLong(record.reference, "its reference", LONGEST_REFERENCE);
  for (const from of [record.attributes, contribution]) {
    for (const name of FOUND_BY) refuseTooLong(from[name], name);
    for (const address of listed(from["emails"])) refuseTooLong(address["value"], "emails");
    const { manager } = objectOf(from[ENTERPRISE]);
    refuseTooLong(objectOf(manager)["value"], "manager");
  }
}

function refuseTooLong(value: AttributeValue | undefined, name: string, most = LONGEST_FOUND_BY): void {
  // A letter has at most three bytes here: short texts need no counting.
  if (typeof value !== "string" || value.length * 3 <= most) return;
  const bytes = Buffer.byteLength(value);
  if (bytes > most)
    throw new AppError("invalid", `${name} has ${bytes} bytes in UTF-8, and may have ${most}: nobody could be found by it.`, {
      field: name,
    });
}

function objectOf(value: AttributeValue | undefined): AttributeObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as AttributeObject) : {};
}

function listed(value: AttributeValue | undefined): AttributeObject[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}
