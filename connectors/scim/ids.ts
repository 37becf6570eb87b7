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
