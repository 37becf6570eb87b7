import { isStorable } from "../kit/storable-text.ts";

/** What an index of ours still takes. */
const LONGEST_BYTES = 1600;

/**
 * Whether a resource can be asked for by this id. A URL reads `.` and `..` as steps, however they are encoded: who is to leave under
 * such an id would be the collection, or the whole API.
 */
export function isUsableId(id: unknown): id is string {
  if (typeof id !== "string" || id === "" || id === "." || id === "..") return false;
  return Buffer.byteLength(id) <= LONGEST_BYTES && isStorable(id);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * An id as it is compared with another: the letters of a UUID mean the same in either case (RFC 9562 section 4), and some applications
 * write it in one for the resource and in the other for a member. Every other id is exact.
 */
export function comparable(id: string): string {
  return UUID.test(id) ? id.toLowerCase() : id;
}
