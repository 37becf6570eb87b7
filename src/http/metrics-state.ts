import type { Sql } from "../db/database.ts";

export interface Count {
  labels: Record<string, string>;
  count: number;
}

export interface StateCounts {
  runs: Count[];
  plansHeld: Count[];
  deliveries: Count[];
  projections: Count[];
  projectionsDirty: Count[];
  queue: Count[];
  connections: Count[];
  people: Count[];
  scimQuirks: Count[];
  notices: Count[];
  incidents: Count[];
  attempts: Count[];
}

/**
 * What stands in the database, in one statement. Tables that grow without end are read by an index or not far back;
 * the projections' indexes hold only what is not in step.
 */
export async function gatherState(sql: Sql, { now }: { now: Date }): Promise<StateCounts> {
  const { rows } = await sql.query<{ name: keyof StateCounts; labels: Record<string, string>; count: number }>(
    `
    select 'runs' as name, json_build_object('connection', c.name, 'state', r.state) as labels, count(*) as count
      from connections c cross join lateral (select state from runs where connection_id = c.id order by id desc limit 1000) r group by c.name, r.state
    union all select 'plansHeld', json_build_object('connection', c.name), count(*)
      from plans p join connections c on c.id = p.connection_id where p.state = 'held' group by c.name
    union all select 'deliveries', json_build_object('connection', c.name, 'state', d.state), count(*)
      from connections c cross join lateral (select state, finished_at from deliveries where connection_id = c.id order by id desc limit 10000) d
      where d.finished_at > $1::timestamptz - interval '1 hour' group by c.name, d.state
    union all select 'projections', json_build_object('connection', c.name, 'state', p.state), count(*)
      from projections p join connections c on c.id = p.connection_id where p.state <> 'idle' group by c.name, p.state
    union all select 'projectionsDirty', json_build_object('connection', c.name), count(*)
      from projections p join connections c on c.id = p.connection_id where p.dirty_at is not null group by c.name
    union all select 'queue', json_build_object('job', task_identifier), count(*) from graphile_worker.jobs group by task_identifier
    union all select 'connections', json_build_object('state', state), count(*) from connections group by state
    union all select 'notices', json_build_object('notice', notice, 'channel', channel, 'state', state), count(*)
      from notices where created_at > $1::timestamptz - interval '1 day' group by notice, channel, state
    union all select 'people', json_build_object('state', state), count(*) from people where deleted_at is null group by state
    union all select 'scimQuirks', json_build_object('connection', c.name, 'dialect', q.dialect, 'quirk', q.quirk, 'attribute', q.attribute), sum(q.count)::bigint
      from scim_quirks q join connections c on c.id = q.connection_id group by c.name, q.dialect, q.quirk, q.attribute
    union all select 'incidents', json_build_object('kind', kind, 'state', state), count(*) from incidents where state <> 'closed' group by kind, state
    union all select 'attempts', json_build_object('kind', kind, 'outcome', outcome), count(*)
      from sign_in_attempts where at > $1::timestamptz - interval '1 hour' group by kind, outcome`,
    [now],
  );
  const counts: StateCounts = {
    runs: [],
    plansHeld: [],
    deliveries: [],
    projections: [],
    projectionsDirty: [],
    queue: [],
    connections: [],
    people: [],
    scimQuirks: [],
    notices: [],
    incidents: [],
    attempts: [],
  };
  for (const { name, labels, count } of rows) counts[name].push({ labels, count });
  return counts;
}
