import { QUIRKS, type QuirkName } from "../../../../connections/quirk-catalogue.ts";
import type { Profile } from "../profile.ts";

/** Filters whose values are not quoted as the grammar wants could mean something else: only a client known for them is understood. */
const UNCLEAR: ReadonlySet<QuirkName> = new Set(["no-quotes", "single-quotes"]);

/** Somebody unknown: whatever has one meaning only is understood. */
export const generic: Profile = {
  dialect: "generic",
  quirks: new Set((Object.keys(QUIRKS) as QuirkName[]).filter((quirk) => !UNCLEAR.has(quirk))),
  createsAbsent: true,
};
