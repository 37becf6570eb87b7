import type { Sql } from "../../db/database.ts";
import { enqueue } from "../../db/queue.ts";

/**
 * One run for all hints until it begins; a hint that comes during a run makes another one, since that run may have read past the
 * change already.
 */
export async function enqueueHintedSync(sql: Sql, { connectionId, runAt }: { connectionId: number; runAt: Date }): Promise<void> {
  await enqueue(sql, {
    job: "sync",
    payload: { connectionId, mode: "incremental", trigger: "hook" },
    key: `sync:${connectionId}:hook`,
    runAt,
    keepsTime: true,
    maxAttempts: 3,
  });
}

/** Has somebody look at a connection's subscriptions soon. */
export async function enqueueKeeping(sql: Sql, connectionId: number): Promise<void> {
  const name = `keep_hooks:${connectionId}`;
  await enqueue(sql, { job: "keep_hooks", payload: { connectionId }, key: name, queue: name, maxAttempts: 3 });
}
