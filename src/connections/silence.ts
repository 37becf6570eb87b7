import { connectors } from "../../connectors/registry.ts";
import type { Work } from "../db/database.ts";

/**
 * Marks the connections that have been silent for longer than their policy allows and that hand over then: those that are read
 * and were not read to their end for so long, and those that are written to by others and have been disabled for so long.
 */
export async function markSilent({ ctx, sql }: Work): Promise<{ id: number; name: string }[]> {
  const { rows } = await sql.query<{ id: number; name: string }>(
    `update connections set silent_since = $1
      where silent_since is null and policy->'silent'->>'reaction' = 'handOver'
        and case when connector = any($2::text[]) then coalesce(heard_at, created_at) when not enabled then greatest(heard_at, updated_at) end
          < $1::timestamptz - make_interval(secs => (policy->'silent'->>'afterHours')::numeric::double precision * 3600)
      returning id, name`,
    [ctx.now(), Object.keys(connectors).filter((name) => connectors[name]?.openSource !== undefined)],
  );
  return rows;
}
