import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { ANY_CONDITION } from "./outbox.ts";

/**
 * Has the conditions of rules looked at anew for these people, whose state has changed, once this is committed. For where a person is
 * locked already: who evaluates at once takes the lock of rules before those of people.
 */
export async function wakeRules({ sql }: Work, { personIds }: { personIds: readonly string[] }): Promise<void> {
  const { rows } = await sql.query<{ any: boolean }>(`select ${ANY_CONDITION} as any`);
  if (rows[0]?.any) await enqueue(sql, { job: "follow_roles", payload: { personIds, groupIds: [] }, queue: "follow_roles" });
}
