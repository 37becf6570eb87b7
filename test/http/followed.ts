import { followRoles } from "../../src/access/following-roles.ts";
import type { Holders } from "../../src/access/rules-on-roles.ts";
import type { Work } from "../../src/db/database.ts";
import type { TestDatabase } from "../helpers/database.ts";

export interface Followed {
  db: TestDatabase;
  work<T>(act: (work: Work) => Promise<T>): Promise<T>;
}

/** Works off what the queue holds for rules that are to be looked at anew, as a worker does. Returns how many jobs there were. */
export async function followed({ db, work }: Followed): Promise<number> {
  for (let jobs = 0; ;) {
    const { rows } = await db.pool.query<{ payload: Holders }>(
      `delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t
       where t.id = j.task_id and t.identifier = 'follow_roles' returning j.payload`,
    );
    if (rows.length === 0) return jobs;
    jobs += rows.length;
    for (const { payload } of rows) await work((each) => followRoles(each, payload));
  }
}
