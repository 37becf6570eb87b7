import { scheduleExpiry } from "../../access/boundaries.ts";
import { evaluateConditionRules } from "../../access/condition-rules.ts";
import type { Work } from "../../db/database.ts";
import { markPeople } from "../../directory/outbox.ts";
import { resolveArrivals } from "./arrivals.ts";

/**
 * Resolves what came to wait since then for an account that is there. Two transactions that go on side by side don't see each
 * other: one may note that it waits for an account which the other, a moment before, found nobody to be waiting for.
 */
export async function settleLateArrivals(work: Work, { connectionId, since }: { connectionId: number; since: Date }): Promise<void> {
  const { rows } = await work.sql.query<{ id: number }>(
    `select distinct a.id from (select kind, reference from pending_references where connection_id = $1 and since >= $2 offset 0) w
       cross join lateral (select * from accounts where connection_id = $1 and reference = w.reference offset 0) a
      where a.gone_at is null and coalesce(a.person_id, a.group_id, a.unit_id) is not null
        and (w.kind, a.kind) in (('manager', 'user'), ('member', 'user'), ('member', 'group'), ('unit', 'unit'))`,
    [connectionId, since],
  );
  if (rows.length === 0) return;
  const personIds = [
    ...new Set(
      await resolveArrivals(
        work,
        rows.map(({ id }) => id),
      ),
    ),
  ];
  await scheduleExpiry(work);
  await evaluateConditionRules(work, { personIds });
  await markPeople(work, { personIds });
}
