import type { Dialect } from "../../../../connectors/scim-inbound/config.ts";
import { QUIRKS, type QuirkName } from "../../../connections/quirk-catalogue.ts";
import { AppError } from "../../../errors.ts";
import type { Profile } from "./profile.ts";

/** A quirk as it was met. */
export interface Bent {
  quirk: QuirkName;
  /** The schema's own name of what it concerns; empty when it concerns the message. Never a client's text. */
  attribute: string;
  /** Of a closed set of texts (`"False"`), so that it can't be a personal value; empty when none. */
  sample: string;
}

/** The same, and how many times in one message. */
export type Met = Bent & { count: number };

/** What one request bends. */
export interface Bending {
  /**
   * Whether the profile understands this quirk; then it is counted. Throws `invalid` for one that the RFCs refuse and the
   * profile does not name; `value` is shown to the client, cut short.
   */
  allows(quirk: QuirkName, at?: { attribute?: string; sample?: string; value?: unknown; scimType?: string }): boolean;
  /** Each quirk once. */
  readonly bent: readonly Met[];
}

const LONGEST_SHOWN = 60;

export function createBending(profile: Profile): Bending {
  // A list that is there: a getter that closes over a request keeps it in memory until a full collection (see LazyContext).
  const bent: Met[] = [];
  const byKey = new Map<string, Met>();
  return {
    bent,
    allows(quirk, { attribute = "", sample = "", value, scimType = "invalidValue" } = {}) {
      if (profile.quirks.has(quirk)) {
        // A list may have a hundred thousand elements with the same quirk.
        const key = `${quirk} ${attribute} ${sample}`;
        const known = byKey.get(key);
        if (known) {
          known.count += 1;
          return true;
        }
        const met = { quirk, attribute, sample, count: 1 };
        byKey.set(key, met);
        bent.push(met);
        return true;
      }
      const known = QUIRKS[quirk];
      if (known.otherwise === "pass") return false;
      const shown = value === undefined ? "" : `${JSON.stringify(value).slice(0, LONGEST_SHOWN)} `;
      throw new AppError("invalid", `${attribute === "" ? "The request" : attribute}: ${shown}${known.wants}.`, {
        field: attribute,
        scimType,
      });
    },
  };
}

/** Quirks that one client alone is known for, where it does not name itself. */
const TYPICAL: Readonly<Partial<Record<QuirkName, Dialect>>> = { "op-case": "entra" };

/** Whose client these quirks give away; undefined when they could be anybody's. */
export function typicalDialect(bent: readonly Bent[]): Dialect | undefined {
  return bent.flatMap(({ quirk }) => TYPICAL[quirk] ?? [])[0];
}
