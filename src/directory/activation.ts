import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { markPeople } from "./outbox.ts";
import { closePeriods } from "./periods.ts";
import { wakeRules } from "./waking-rules.ts";

/**
 * Makes somebody who was invited active, in the caller's transaction, because they have answered (G1). Returns whether they were
 * invited: nothing happens to others.
 */
export async function activateInvited(work: Work, { personId, reason }: { personId: string; reason: string }): Promise<boolean> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const { rowCount } = await sql.query(
    "update people set state = 'active', version = version + 1, modified_at = $2 where id = $1 and state = 'invited'",
    [personId, now],
  );
  if (!rowCount) return false;
  const { rows } = await sql.query<{ id: number; from: Date }>(
    `select id, valid_from as "from" from lifecycle_periods where person_id = $1 and recorded_to is null and valid_to is null`,
    [personId],
  );
  await closePeriods(sql, { table: "lifecycle_periods", ids: rows.map(({ id }) => id), at: now });
  // Clocks of two nodes may differ: nobody answers before they were invited.
  const at = new Date(Math.max(now.getTime(), ...rows.map(({ from }) => from.getTime())));
  await sql.query("insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, 'active', $2, $3, $3)", [
    personId,
    reason,
    at,
  ]);
  await recordEvent(work, { name: "person.activated", subjectType: "person", subjectId: personId, reason, data: { owner: "invitation" } });
  await markPeople(work, { personIds: [personId], decidedAt: now });
  await wakeRules(work, { personIds: [personId] });
  return true;
}
