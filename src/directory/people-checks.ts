import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

/** Refuses a login name, or an address that we write to, that somebody else has (P1). Throws `conflict` naming the field, not whose it is. */
export async function refuseTaken(
  sql: Sql,
  { personId, userName, email }: { personId: string; userName?: string; email?: string | null },
): Promise<void> {
  const { rows } = await sql.query<{ field: string }>(
    `select 'userName' as field from people where lower(user_name::text) = lower($2::text) and state <> 'deleted' and id <> $1
     union all select 'emails' from people where lower(email::text) = lower($3::text) and state <> 'deleted' and email is not null and id <> $1 limit 1`,
    [personId, userName ?? null, email ?? null],
  );
  const [taken] = rows;
  if (taken) throw new AppError("conflict", `${taken.field}: somebody else has it already.`, { field: taken.field });
}

/** "rollcall reporting lines" as a number for pg_advisory_xact_lock. */
const LINES_LOCK = 7_305_017;

/**
 * Held by all who say here whom others report to, until the end of the transaction: two at once could close a circle that neither sees,
 * or come to lead whom neither would let them. It is taken before the people: the order is administrators, rules, lines, people.
 */
export async function lockReportingLines(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [LINES_LOCK]);
}

/** Nobody is the manager of those who stand above them. Throws `not_found` for somebody unknown, `invalid` for a circle. */
export async function refuseMissingManager(sql: Sql, { personId, managerId }: { personId: string; managerId: string }): Promise<void> {
  const { rows } = await sql.query<{ circle: boolean }>(
    `with recursive above (id, manager_id) as (
       select id, manager_id from people where id = $2 and state <> 'deleted'
       union select p.id, p.manager_id from above join people p on p.id = above.manager_id
     ) select bool_or(id = $1) as circle from above having count(*) > 0`,
    [personId, managerId],
  );
  const [found] = rows;
  if (!found) throw new AppError("not_found", `There is no person ${managerId} who could be the manager.`, { field: "managerId" });
  if (found.circle)
    throw new AppError("invalid", "managerId: nobody can report to themselves, through others either.", { field: "managerId" });
}

/** Locks a person's row for a change, and says at which version they are. Throws `not_found`, for the deleted too. */
export async function lockPerson(sql: Sql, id: string): Promise<{ version: number; userName: string }> {
  const { rows } = await sql.query<{ version: number; userName: string }>(
    `select version, user_name::text as "userName" from people where id = $1 and state <> 'deleted' for update`,
    [id],
  );
  const [person] = rows;
  if (!person) throw new AppError("not_found", "There is no such person.", { field: "person" });
  return person;
}
