import { groupIdAt, userAt, userIdAt, type Directory } from "./directory.ts";

/** A resource with its id and times, as the peers store it. */
export interface Document {
  [attribute: string]: unknown;
  id: string;
  meta: { created: string; lastModified: string };
}

const LOADED_AT = "2026-01-01T00:00:00.000Z";
const META = { created: LOADED_AT, lastModified: LOADED_AT };

export function userDocument({ company }: Directory, index: number): Document {
  return { ...userAt(company, index), id: userIdAt(index), meta: META };
}

export function groupDocument({ company, groups }: Directory, index: number): Document {
  const { name = "", size = 0 } = groups[index] ?? {};
  const members = Array.from({ length: size }, (_, member) => ({
    value: userIdAt(member),
    display: String(userAt(company, member)["displayName"]),
    type: "User",
  }));
  return { id: groupIdAt(index), displayName: name, members, meta: META };
}
