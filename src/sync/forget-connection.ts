import type { Sql } from "../db/database.ts";

/**
 * Takes back what would point to a connection that is removed, its people let go already: whom it mastered is mastered by the next origin,
 * or here. Returns the ids of these people: conditions may ask for the origin.
 */
export async function forgetConnection(sql: Sql, connectionId: number): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `update people p set origin_id = (
        select a.connection_id from accounts a join connections c on c.id = a.connection_id
         where a.person_id = p.id and a.connection_id <> $1 and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null order by c.precedence, c.id limit 1)
      where p.origin_id = $1 returning p.id`,
    [connectionId],
  );
  await sql.query(
    `update people p set mastery = coalesce((select jsonb_object_agg(m.key, m.value) from jsonb_each(p.mastery) m where m.value <> to_jsonb($1::int)), '{}')
      where p.id in (select person_id from accounts where connection_id = $1 and person_id is not null)
        and exists (select from jsonb_each(p.mastery) m where m.value = to_jsonb($1::int))`,
    [connectionId],
  );
  for (const table of ["groups", "units"]) await sql.query(`update ${table} set origin_id = null where origin_id = $1`, [connectionId]);
  await sql.query("delete from pending_references where connection_id = $1", [connectionId]);
  await sql.query(
    "update plans set state = 'superseded' where connection_id = $1 and state in ('staging', 'closed', 'held', 'approved', 'applying')",
    [connectionId],
  );
  await sql.query("update plans set passed_on = null where connection_id = $1 and passed_on is not null", [connectionId]);
  await sql.query(
    "update runs set state = 'superseded' where connection_id = $1 and state in ('queued', 'pulling', 'planned', 'held', 'applying')",
    [connectionId],
  );
  await sql.query("delete from projections where connection_id = $1", [connectionId]);
  await sql.query("delete from accounts where connection_id = $1", [connectionId]);
  return rows.map(({ id }) => id);
}
