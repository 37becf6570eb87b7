import type { Sql } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/** Queues the `expire` job, in the caller's transaction. One job per second, whatever ends in it; it runs once the second is over. */
export async function enqueueExpiry(sql: Sql, at: Date): Promise<void> {
  const second = Math.ceil(at.getTime() / 1000);
  await enqueue(sql, { job: "expire", payload: {}, key: `expire:${second}`, runAt: new Date(second * 1000) });
}
