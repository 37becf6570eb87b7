import type { AttributeObject } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { DeliveredState, DesiredState, ProjectionState } from "./desired.ts";

/** A dirty projection with all that deciding needs of its person. */
export interface DirtyPerson {
  id: number;
  version: number;
  person_id: string;
  native_id: string | null;
  desired_state: DesiredState;
  /** Hexadecimal. */
  desired_hash: string | null;
  delivered_state: DeliveredState | null;
  delivered_hash: string | null;
  state: ProjectionState;
  last_error: string | null;
  remove_after: Date | null;
  attributes: AttributeObject;
  custom: AttributeObject;
  active: boolean;
  person_state: string;
  manager_id: string | null;
  origin: string | null;
  units: string[];
  groups: string[];
  roles: string[];
  /** Blocked here by somebody else than this connection's own origin. */
  blocked: boolean;
  /** An account of this connection that write-back would have to change. */
  write_back_due: boolean;
  /** There is an account of this connection at all. */
  has_account: boolean;
}

/** A period of a bitemporal table that holds at $3, as believed now. */
const open = (alias: string) => `${alias}.recorded_to is null and ${alias}.valid_from <= $3 and (${alias}.valid_to is null or ${alias}.valid_to > $3)`;

const DIRTY_PEOPLE = `
  with recursive dirty as materialized (
    select * from projections
    where connection_id = $1 and dirty_at is not null and kind = 'user' and id > $2
    order by id limit $4
  ), member_of (person_id, group_id, since) as (
    select m.person_id, m.group_id, m.valid_from from memberships m join dirty d on d.person_id = m.person_id where ${open("m")}
    union
    select member_of.person_id, n.parent_group_id, greatest(member_of.since, n.valid_from)
    from member_of join nestings n on n.child_group_id = member_of.group_id and ${open("n")}
  ), grouped as (
    select member_of.person_id, array_agg(distinct g.display_name::text) as names
    from member_of join groups g on g.id = member_of.group_id and g.deleted_at is null group by 1
  ), held as (
    select g.person_id, g.role_id from grants g join dirty d on d.person_id = g.person_id where ${open("g")}
    union
    select member_of.person_id, g.role_id from member_of join grants g on g.group_id = member_of.group_id
    where ${open("g")} and (g.expires_after_seconds is null or member_of.since + make_interval(secs => g.expires_after_seconds) > $3)
  ), roled as (
    select held.person_id, array_agg(distinct r.key) as keys from held join roles r on r.id = held.role_id group by 1
  ), placed as (
    select pu.person_id, array_agg(distinct coalesce(u.code, u.name)::text) as codes
    from person_units pu join dirty d on d.person_id = pu.person_id join units u on u.id = pu.unit_id where ${open("pu")} group by 1
  ), blocked as (
    select b.person_id from blocks b join dirty d on d.person_id = b.person_id
    where ${open("b")} and not (b.owner = 'origin' and b.connection_id = $1) group by 1
  ), sourced as (
    select a.person_id,
      bool_or(a.mapped ->> 'active' is distinct from 'false' and a.written_back ->> 'active' is distinct from 'false') as enabled_there,
      bool_or(a.written_back ->> 'active' = 'false') as disabled_by_us
    from accounts a join dirty d on d.person_id = a.person_id
    where a.connection_id = $1 and a.kind = 'user' and a.gone_at is null group by 1
  )
  select d.id, d.version, d.person_id, d.native_id, d.desired_state, encode(d.desired_hash, 'hex') as desired_hash,
    d.delivered_state, encode(d.delivered_hash, 'hex') as delivered_hash, d.state, d.last_error, d.remove_after,
    p.attributes, p.custom, p.active, p.state as person_state, p.manager_id, origin.name as origin,
    coalesce(placed.codes, '{}') as units, coalesce(grouped.names, '{}') as groups, coalesce(roled.keys, '{}') as roles,
    blocked.person_id is not null as blocked,
    sourced.person_id is not null as has_account,
    case when sourced.person_id is null then false when blocked.person_id is not null then sourced.enabled_there else sourced.disabled_by_us end as write_back_due
  from dirty d
  join people p on p.id = d.person_id
  left join connections origin on origin.id = p.origin_id
  left join grouped on grouped.person_id = p.id
  left join roled on roled.person_id = p.id
  left join placed on placed.person_id = p.id
  left join blocked on blocked.person_id = p.id
  left join sourced on sourced.person_id = p.id
  order by d.id`;

/** The next page of dirty projections of people, in the order of ids, in one query. */
export async function loadDirtyPeople(sql: Sql, options: { connectionId: number; after: number; now: Date; limit: number }): Promise<DirtyPerson[]> {
  const { rows } = await sql.query<DirtyPerson>(DIRTY_PEOPLE, [options.connectionId, options.after, options.now, options.limit]);
  return rows;
}
