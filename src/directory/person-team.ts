import type { Sql } from "../db/database.ts";

export interface TeamMember {
  id: string;
  userName: string;
  displayName: string | null;
  title: string | null;
  state: string;
  managerId: string | null;
  /** 1 = reports directly. */
  level: number;
}

export interface TeamOptions {
  managerId: string;
  direct: boolean;
  /** A condition on `p`, its parameters numbered from 6. */
  within: { text: string; values: readonly unknown[] };
  limit: number;
  /** Level and id of the last one of the page before. */
  after?: readonly [number, string] | undefined;
}

/** Who reports to somebody, the nearest first. Whoever reports in a circle stands there once, and nobody stands below themselves. */
export async function listTeam(sql: Sql, { managerId, direct, within, limit, after }: TeamOptions): Promise<TeamMember[]> {
  const { rows } = await sql.query<TeamMember>(
    `with recursive team (id, level, way) as (
       select id, 1, array[$1::uuid, id] from people where manager_id = $1 and id <> $1
       union all select below.id, team.level + 1, team.way || below.id from people below join team on below.manager_id = team.id
         where not $2::boolean and below.id <> all(team.way))
     select p.id, p.user_name::text as "userName", p.display_name as "displayName", p.attributes->>'title' as title, p.state, p.manager_id as "managerId", team.level
     from team join people p on p.id = team.id and p.state <> 'deleted'
     where ($3::int is null or (team.level, p.id) > ($3, $4::uuid)) and ${within.text}
     order by team.level, p.id limit $5`,
    [managerId, direct, after?.[0] ?? null, after?.[1] ?? null, limit, ...within.values],
  );
  return rows;
}
