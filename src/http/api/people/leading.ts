import { OUT_OF_REACH, personBehind, reachedPeople, reaches } from "../../../access/policy.ts";
import { AppError } from "../../../errors.ts";
import type { ApiCall } from "../route.ts";

const ABOVE = `with recursive above (id, manager_id) as (
  select id, manager_id from people where id = $1 union select p.id, p.manager_id from above join people p on p.id = above.manager_id
) select from above where id = $2`;

const BELOW = `with recursive below (id) as (
  select $1::uuid union select p.id from below join people p on p.manager_id = below.id and p.state <> 'deleted'
) select from below join people p on p.id = below.id`;

/**
 * Whom somebody leads, they see and change: nobody makes themselves the manager, directly or through others, of people whom they don't
 * administer already. Throws `forbidden`.
 */
export async function refuseLeadingStrangers(
  call: ApiCall,
  { personId, managerId }: { personId: string; managerId: string },
): Promise<void> {
  const { sql, caller } = call;
  const own = personBehind(caller);
  if (own === null) return;
  const { rowCount: leads } = await sql.query(ABOVE, [managerId, own]);
  if (!leads) return;
  const reach = { ...(await call.reach("rollcall.people.edit")), self: null };
  const within = reachedPeople(reach, { person: "p", from: 2 });
  const { rowCount: strangers } = await sql.query(`${BELOW} where ${within.text} is not true limit 1`, [personId, ...within.values]);
  if (strangers)
    throw new AppError("forbidden", "managerId: you would lead people whom you don't administer: somebody else has to do this.", {
      field: "managerId",
    });
}

/** Whom somebody is to report to must be somebody whom the caller may see. Throws `not_found`, naming the field that was sent. */
export async function requireSeenManager(call: ApiCall, managerId: string): Promise<void> {
  const reach = await call.reach("rollcall.people.view");
  if (await reaches(call.sql, { reach, thing: { personId: managerId } })) return;
  throw new AppError("not_found", `managerId: there is no person ${managerId}.`, { field: "managerId", cause: OUT_OF_REACH });
}
