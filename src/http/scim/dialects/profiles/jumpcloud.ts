import type { Profile } from "../profile.ts";

/** JumpCloud: whole resources by PUT with empty lists and texts; members by operations. */
export const jumpcloud: Profile = {
  dialect: "jumpcloud",
  quirks: new Set([
    "empty-text",
    "number-for-text",
    "one-for-list",
    "reference-only",
    "text-for-object",
    "several-primaries",
    "extension-at-top",
    "schemas-missing",
    "schemas-unknown",
    "path-null",
    "plus-sign",
    "untidy-path",
  ]),
  createsAbsent: false,
};
