import type { Sql } from "../db/database.ts";

/** Plans of a connection that wait for approval and are older than this one wait no more; `unlessHash` spares the same decision. */
export async function supersedeHeld(
  sql: Sql,
  { connectionId, planId, unlessHash }: { connectionId: number; planId: number; unlessHash?: Buffer },
): Promise<void> {
  await sql.query(
    `with older as (update plans set state = 'superseded' where connection_id = $1 and id < $2 and state = 'held' and hash is distinct from $3 returning run_id)
     update runs r set state = 'superseded' from older o where r.id = o.run_id`,
    [connectionId, planId, unlessHash ?? null],
  );
}
