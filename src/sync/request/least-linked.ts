import type { Sql } from "../../db/database.ts";

export interface LeastLinked {
  connectionId: number;
  /** More are not counted. */
  most: number;
}

// All of a connection's accounts, less those that may not count. Each part is told by an index; only of people who are shut out the accounts
// are looked up. One part that is not counted to its end says nothing.
const LEAST = `
  with unsettled as materialized (select count(*) as n from (select from accounts where connection_id = $1 and situation in ('unlinked', 'unmatched', 'disputed') limit $2) part),
    gone as materialized (select count(*) as n from (select from accounts where connection_id = $1 and kind = 'user' and gone_at is not null limit $2) part),
    away as materialized (select count(*) as n from (select from people p join accounts a on a.person_id = p.id and a.connection_id = $1 and a.kind = 'user'
      where p.state in ('suspended', 'deactivated') limit $2) part),
    others as materialized (select case when greatest(unsettled.n, gone.n, away.n) >= $2 then null else unsettled.n + gone.n + away.n end as n from unsettled, gone, away)
  select greatest(0, coalesce((select count(*) from (select from accounts where connection_id = $1 and kind = 'user' limit $2 + others.n) part) - others.n, 0))::int as least
    from others`;

/**
 * At least so many accounts of a connection are linked to people who have access. A fraction of what counting them costs, which reads every
 * account and every person: a guard that has plenty needs to know no more. 0 says nothing.
 */
export async function leastLinked(sql: Sql, { connectionId, most }: LeastLinked): Promise<number> {
  const { rows } = await sql.query<{ least: number }>({ name: "request_guard_least", text: LEAST, values: [connectionId, most] });
  return rows[0]?.least ?? 0;
}
