import { hash } from "node:crypto";
import type { Caller } from "../../access/policy.ts";
import type { AccessSnapshot } from "../../access/snapshot/snapshot.ts";

/** Who was found behind a credential, and until when that needs no second look if nothing changes meanwhile. */
export interface FoundCaller {
  caller: Caller;
  /** Id of the token. */
  tokenId: string;
  /** Its end, the end of its person's own time, and when its next use is to be noted, whichever comes first. */
  until: Date;
}

/**
 * Callers as the database found them, kept for as long as the feed of the access snapshot is in step and hears of no change of the token
 * or of the person behind it: a revocation acts within a second on every node, as what it answers does.
 */
export interface KeptCallers {
  /** Who comes with this credential; `ask` asks the database, where that is needed. */
  of(credential: string, ask: () => Promise<FoundCaller>): Promise<Caller>;
}

/** So many are kept; of more, those that have stood the longest go. */
const MOST_KEPT = 1000;

interface Kept extends FoundCaller {
  since: Date;
}

export function createKeptCallers({ snapshot, now }: { snapshot: AccessSnapshot; now: () => Date }): KeptCallers {
  // By hashes: credentials are not kept.
  const kept = new Map<string, Kept>();
  let changes = 0;
  snapshot.onChange((ids) => {
    changes += 1;
    if (ids === null) kept.clear();
    else for (const [key, found] of kept) if (concerns(ids, found)) kept.delete(key);
  });
  return {
    async of(credential, ask) {
      const [at, key] = [now(), hash("sha256", credential, "base64")];
      const known = kept.get(key);
      if (known && known.since <= at && at < known.until && snapshot.now()) return known.caller;
      const before = changes;
      const found = await ask();
      kept.delete(key);
      // What was heard of meanwhile may have come after the database answered.
      if (changes !== before) return found.caller;
      for (const oldest of kept.keys()) {
        if (kept.size < MOST_KEPT) break;
        kept.delete(oldest);
      }
      kept.set(key, { ...found, since: at });
      return found.caller;
    },
  };
}

function concerns(ids: ReadonlySet<string>, { tokenId, caller: { personId, responsibleId } }: Kept): boolean {
  return [tokenId, personId, responsibleId].some((id) => id != null && ids.has(id));
}
