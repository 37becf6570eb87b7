import type { Source } from "../../connectors/contract.ts";
import type { Run } from "./begin.ts";
import { fingerprint } from "./fingerprint.ts";
import { withReference } from "./pull.ts";
import { kindsOf, stageChanged } from "./read.ts";

/** People whose groups are asked for: each is a question to the source. Of more the next full read tells. */
const AT_MOST = 200;

/** Who comes back with this plan, native id by native id. */
const RETURNED = `
  select i.native_id as "nativeId" from plan_items i join accounts a on a.id = i.account_id
   where i.plan_id = $1 and i.kind = 'user' and i.action = 'link' and a.gone_at is not null order by i.native_id limit ${AT_MOST}`;

const UNREAD = `
  select native_id as "nativeId" from unnest($2::text[]) as g(native_id)
   where not exists (select from plan_items i where i.plan_id = $1 and i.kind = 'group' and i.native_id = g.native_id) order by native_id`;

/** After an incremental read: the groups of who was deleted and is restored say nothing of it themselves; they are read again, where the source tells which they are. */
export async function readGroupsOfReturned(run: Run, source: Source): Promise<void> {
  if (!source.groupsOf || !kindsOf(run, source).includes("group") || run.staged.user.size === 0) return;
  const { pool } = run.db;
  const { rows: returned } = await pool.query<{ nativeId: string }>(RETURNED, [run.planId]);
  const groups = new Set<string>();
  for (const { nativeId } of returned) for (const group of await source.groupsOf(nativeId)) groups.add(group);
  if (groups.size === 0) return;
  const { rows: unread } = await pool.query<{ nativeId: string }>(UNREAD, [run.planId, [...groups]]);
  for (const { nativeId } of unread) {
    run.ctx.signal.throwIfAborted();
    const record = await source.readOne("group", nativeId);
    if (record !== "gone" && !record.outOfScope)
      await stageChanged(run, [{ record: withReference(record), hash: fingerprint(record).toString("hex") }]);
  }
}
