import { scheduleExpiry } from "../../access/boundaries.ts";
import { evaluateConditionRules } from "../../access/condition-rules.ts";
import type { Work } from "../../db/database.ts";
import { markGroups, markPeople } from "../../directory/outbox.ts";
import { placeByCode } from "../../directory/waiting-for-units.ts";
import { resolveArrivals } from "./arrivals.ts";

/**
 * Resolves what came to wait since then for an account that is there, or for a unit by its code. Two transactions that go on side by
 * side don't see each other: one may note that it waits for what the other, a moment before, found nobody to be waiting for.
 */
export async function settleLateArrivals(work: Work, { connectionId, since }: { connectionId: number; since: Date }): Promise<void> {
  const { rows } = await work.sql.query<{ id: number }>(
    `select distinct a.id from (select kind, reference from pending_references where connection_id = $1 and since >= $2 offset 0) w
       cross join lateral (select * from accounts where connection_id = $1 and reference = w.reference offset 0) a
      where a.gone_at is null and coalesce(a.person_id, a.group_id, a.unit_id) is not null
        and (w.kind, a.kind) in (('manager', 'user'), ('member', 'user'), ('member', 'group'), ('unit', 'unit'))`,
    [connectionId, since],
  );
  const accountIds = rows.map(({ id }) => id);
  const unitIds = await lateUnits(work, { connectionId, since });
  const arrived = await resolveArrivals(work, accountIds);
  const personIds = [...new Set([...arrived.people, ...(await placeByCode(work, unitIds))])];
  if (accountIds.length === 0 && personIds.length === 0) return;
  await scheduleExpiry(work);
  await evaluateConditionRules(work, { personIds });
  await markPeople(work, { personIds });
  await markGroups(work, { groupIds: arrived.groups });
}

/** Units that this connection brought since then, or that are there by the code by which it has come to wait for them. */
async function lateUnits({ sql }: Work, { connectionId, since }: { connectionId: number; since: Date }): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select u.id from units u where u.origin_id = $1 and u.modified_at >= $2 and u.deleted_at is null and u.code is not null
     union
     select u.id from (select distinct reference from pending_references where connection_id = $1 and kind = 'unit' and since >= $2 offset 0) w
       join units u on u.code = w.reference::citext and u.deleted_at is null`,
    [connectionId, since],
  );
  return rows.map(({ id }) => id);
}
