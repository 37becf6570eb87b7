import type { Sql } from "../db/database.ts";
import { findConnection } from "../connections/open.ts";
import { AppError } from "../errors.ts";

/** A connection that receives accounts, and how far it is in step. */
export interface TargetView {
  name: string;
  connector: string;
  enabled: boolean;
  state: string;
  /** Accounts and groups that are kept there. */
  projections: number;
  /** Not looked at yet since something changed. */
  dirty: number;
  waiting: number;
  retrying: number;
  held: number;
  dead: number;
  lastDeliveredAt: Date | null;
}

const RECEIVES = `(jsonb_typeof(c.policy -> 'provision') = 'object' or c.policy -> 'writeBack' ->> 'disable' = 'true' or c.policy -> 'writeBack' ->> 'groups' = 'true')`;

/** All targets, by name. */
export async function listTargets(sql: Sql): Promise<TargetView[]> {
  const { rows } = await sql.query<TargetView>(
    `select c.name, c.connector, c.enabled, c.state, (select count(*) from projections p where p.connection_id = c.id) as projections,
       (select count(*) from projections p where p.connection_id = c.id and p.dirty_at is not null) as dirty,
       coalesce(s.waiting, 0) as waiting, coalesce(s.retrying, 0) as retrying, coalesce(s.held, 0) as held, coalesce(s.dead, 0) as dead,
       (select d.finished_at from deliveries d where d.connection_id = c.id and d.state = 'delivered' order by d.id desc limit 1) as "lastDeliveredAt"
     from connections c left join lateral (
       select count(*) filter (where p.state = 'waiting') as waiting, count(*) filter (where p.state = 'retrying') as retrying,
         count(*) filter (where p.state = 'held') as held, count(*) filter (where p.state = 'dead') as dead
       from projections p where p.connection_id = c.id and p.state <> 'idle') s on true
     where ${RECEIVES} order by c.name`,
  );
  return rows;
}

/** The id of a connection that receives. Throws `not_found`; `conflict` when it receives nothing. */
export async function targetId(sql: Sql, name: string): Promise<number> {
  const { id } = await findConnection(sql, name);
  const { rowCount } = await sql.query(`select from connections c where c.id = $1 and ${RECEIVES}`, [id]);
  if (rowCount === 0)
    throw new AppError(
      "conflict",
      `The connection ${name} receives nothing: its definition has no \`policy.provision\` or \`policy.writeBack\`.`,
      {
        field: "target",
      },
    );
  return id;
}

/** When reconciliation repaired what had drifted, the newest first. */
export async function listRepairs(sql: Sql, target: string): Promise<{ at: Date; count: number }[]> {
  const { rows } = await sql.query<{ at: Date; count: number }>(
    `select at, (data ->> 'count')::int as count from audit_events where name = 'target.drift_repaired' and data ->> 'target' = $1 order by id desc limit 100`,
    [target],
  );
  return rows;
}
