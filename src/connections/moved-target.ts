import { connectors } from "../../connectors/registry.ts";
import type { Work } from "../db/database.ts";
import type { ConnectionRow } from "./open.ts";
import type { Settings } from "./secrets.ts";

interface Change {
  existing: Pick<ConnectionRow, "id" | "connector">;
  /** The settings as they stand, with secrets. */
  before: Settings;
  after: Settings;
}

/**
 * A target that leads to another application from now on: under the ids that are known, others stand there, or nobody. Everything is looked
 * for anew, by what was sent, as after a create whose answer was lost; who is not found is made, and who left meanwhile is out there, too.
 */
export async function forgetIdsOfOtherApplication({ sql, ctx }: Work, { existing, before, after }: Change): Promise<void> {
  const connector = connectors[existing.connector];
  const applicationOf = (given: Settings) => {
    const parsed = connector?.settings.safeParse(given);
    return parsed?.success ? connector?.applicationOf?.(parsed.data) : undefined;
  };
  if (applicationOf(before) === applicationOf(after)) return;
  // Members were told by ids, too, and what was not confirmed is no name to look for. What a guard holds goes on waiting; everything else is
  // decided, and judged, anew.
  await sql.query(
    `update projections set native_id = null, delivered_hash = null,
       delivered_state = case when native_id is null then delivered_state else 'attempted' end,
       delivered = case when delivered = '{}' or delivered::text like '%"(not confirmed)"%' then null
         when kind = 'group' then delivered - 'members' - 'perhaps' else delivered end,
       state = case when state = 'held' then state else 'idle' end, last_error = case when state = 'held' then last_error end,
       attempts = 0, dirty_at = $2, version = version + 1
     where connection_id = $1 and (native_id is not null or delivered_state = 'attempted' or state in ('waiting', 'retrying'))`,
    [existing.id, ctx.now()],
  );
}
