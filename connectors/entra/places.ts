import type { SourceRecord } from "../contract.ts";
import type { EntraSettings } from "./config.ts";
import type { WireObject } from "./json.ts";
import { unitsOf } from "./unit-names.ts";

/** Departments and companies, gathered from people while these are read, so that nobody is listed twice. */
export interface Places {
  /** A read of people begins: from the beginning, or from a link. */
  begin(from: string | undefined): PlacesRead;
  /** What the last whole read of people from there came by; given away once, since it is of that moment. */
  take(from: string | undefined): FoundPlaces | undefined;
}

export interface PlacesRead {
  note(user: WireObject): void;
  /** The read has come to its end; the next one begins at this link. */
  end(link: string): void;
}

export interface FoundPlaces {
  units: readonly SourceRecord[];
  link: string;
}

export function gatherPlaces(by: EntraSettings["units"]): Places {
  let found: (FoundPlaces & { from: string | undefined }) | undefined;
  return {
    begin(from) {
      found = undefined;
      const units = new Map<string, SourceRecord>();
      return {
        note(user) {
          for (const unit of unitsOf(user, by)) units.set(unit.nativeId, unit);
        },
        end(link) {
          found = { from, units: [...units.values()], link };
        },
      };
    },
    take(from) {
      const taken = found?.from === from ? found : undefined;
      found = undefined;
      return taken;
    },
  };
}
