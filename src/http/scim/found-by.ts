import { AppError } from "../../errors.ts";
import { bytesBeyond, LONGEST_FOUND_BY } from "../../sync/found-by.ts";

/** Attributes by which somebody is found, as errors name them: an index holds them, and takes no text of any length. */
const FOUND_BY: ReadonlySet<string> = new Set(["userName", "externalId", "displayName", "emails.value", "employeeNumber", "manager.value"]);

/** Throws `invalid` (invalidValue) for a text that can't stand in an index. */
export function refuseTooLong(text: string, path: string): void {
  if (!FOUND_BY.has(path)) return;
  const bytes = bytesBeyond(text, LONGEST_FOUND_BY);
  if (bytes !== undefined) throw invalid(path, `has ${bytes} bytes in UTF-8, and may have ${LONGEST_FOUND_BY}`);
}

/** What shows nothing, or makes a name look like another: control characters, and those that turn the direction of writing. */
const UNSEEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

/**
 * A user's name in the one form that its letters have (NFC, as RFC 8265 section 3.3 has it): systems differ in how they write é.
 * Throws `invalid` (invalidValue) for one that nobody could read.
 */
export function coercedName(text: string): string {
  const name = text.normalize("NFC");
  if (name.trim() === "") throw invalid("userName", "has nothing but spaces");
  if (UNSEEN.test(name)) throw invalid("userName", "has control characters, or ones that turn the direction of writing");
  return name;
}

function invalid(path: string, what: string): AppError {
  return new AppError("invalid", `${path}: ${what}.`, { field: path, scimType: "invalidValue" });
}
