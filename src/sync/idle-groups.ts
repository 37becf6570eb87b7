import type { AttributeObject } from "../../connectors/contract.ts";
import type { Run } from "./begin.ts";
import { canonical } from "./fingerprint.ts";
import type { Item } from "./records.ts";
import type { Changed } from "./stage.ts";

/**
 * Groups of which changes of members were read that move nobody, while all else is as it is stored: there is nothing to do about them. Told
 * apart by no fingerprint, since changes are in none. A file with a bad line lists every group so, and would change each of them in every run.
 * To be asked once the changes of members are staged and counted.
 */
export async function idleGroups(run: Run, { changed, items }: { changed: readonly Changed[]; items: readonly Item[] }): Promise<string[]> {
  const records = new Map(changed.map(({ record }) => [record.nativeId, record]));
  const candidates = items.filter(({ nativeId, action, payload: { members } }) => {
    const said = records.get(nativeId)?.members;
    return action === "update" && said !== undefined && !("set" in said) && members?.add === 0 && members.remove === 0;
  });
  if (candidates.length === 0) return [];
  const { rows } = await run.db.pool.query<{ nativeId: string; reference: string; attributes: AttributeObject }>({
    name: "sync_idle_groups",
    text: `select native_id as "nativeId", reference, attributes from accounts
      where connection_id = $1 and kind = 'group' and native_id = any($2::text[]) and mapping_version = $3`,
    values: [run.connection.id, candidates.map(({ nativeId }) => nativeId), run.connection.mappingVersion],
  });
  return rows.flatMap(({ nativeId, reference, attributes }) => {
    const { members: _changes, ...said } = records.get(nativeId) ?? {};
    const stored = { kind: "group", nativeId, reference, attributes } as const;
    return canonical({ ...stored, ...said }) === canonical(stored) ? [nativeId] : [];
  });
}
