import { loadPersonFacts } from "../access/facts.ts";
import type { Sql } from "../db/database.ts";
import type { PersonFacts } from "../expressions/environment.ts";
import type { DeliveredState, DesiredState, ProjectionState } from "./desired.ts";

interface DirtyRow {
  id: number;
  version: number;
  dirtyAt: Date;
  personId: string;
  nativeId: string | null;
  desiredState: DesiredState;
  /** Hexadecimal. */
  desiredHash: string | null;
  deliveredState: DeliveredState | null;
  deliveredHash: string | null;
  state: ProjectionState;
  lastError: string | null;
  removeAfter: Date | null;
  /** Blocked here by somebody else than this connection's own origin. */
  blocked: boolean;
  /** There is an account of this connection, as a source. */
  hasAccount: boolean;
  /** An account of this connection that write-back would have to change. */
  writeBackDue: boolean;
}

/** A dirty projection with all that deciding needs of its person. */
export interface DirtyPerson extends DirtyRow {
  person: PersonFacts;
}

const DIRTY_PEOPLE = `
  with dirty as materialized (
    select * from projections
    where connection_id = $1 and dirty_at is not null and kind = 'user' and id > $2
    order by id limit $3
  ), blocked as (
    select b.person_id from blocks b join dirty d on d.person_id = b.person_id
    where b.recorded_to is null and b.valid_to is null and not (b.owner = 'origin' and b.connection_id is not distinct from $1) group by 1
  ), sourced as (
    select a.person_id,
      bool_or(a.mapped ->> 'active' is distinct from 'false' and a.written_back ->> 'active' is distinct from 'false') as enabled_there,
      bool_or(a.written_back ->> 'active' is not distinct from 'false') as disabled_by_us
    from accounts a join dirty d on d.person_id = a.person_id
    where a.connection_id = $1 and a.kind = 'user' and a.gone_at is null group by 1
  )
  select d.id, d.version, d.dirty_at as "dirtyAt", d.person_id as "personId", d.native_id as "nativeId",
    d.desired_state as "desiredState", encode(d.desired_hash, 'hex') as "desiredHash",
    d.delivered_state as "deliveredState", encode(d.delivered_hash, 'hex') as "deliveredHash",
    d.state, d.last_error as "lastError", d.remove_after as "removeAfter",
    blocked.person_id is not null as blocked,
    sourced.person_id is not null as "hasAccount",
    case when sourced.person_id is null then false when blocked.person_id is not null then sourced.enabled_there else sourced.disabled_by_us end as "writeBackDue"
  from dirty d
  left join blocked on blocked.person_id = d.person_id
  left join sourced on sourced.person_id = d.person_id
  order by d.id`;

/** The next page of dirty projections of people, in the order of ids; two queries, however many. */
export async function loadDirtyPeople(
  sql: Sql,
  options: { connectionId: number; after: number; now: Date; limit: number },
): Promise<DirtyPerson[]> {
  const { rows } = await sql.query<DirtyRow>(DIRTY_PEOPLE, [options.connectionId, options.after, options.limit]);
  // The clock of the node that wrote a change may be ahead: it is seen all the same.
  const at = new Date(Math.max(options.now.getTime(), ...rows.map(({ dirtyAt }) => dirtyAt.getTime())));
  const facts = await loadPersonFacts(sql, { personIds: rows.map(({ personId }) => personId), at });
  const byId = new Map(facts.map((person) => [person.id, person]));
  return rows.flatMap((row) => {
    const person = byId.get(row.personId);
    return person ? [{ ...row, person }] : [];
  });
}
