import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/** The times of the decision that made something dirty (the fourth, delivered, is set by the delivery). */
export interface DecisionTimes {
  /** When the source says that it changed. */
  sourceChangedAt?: Date | null;
  /** When we read it; now when absent, because what begins here is seen as it happens. */
  seenAt?: Date | null;
}

export interface MarkOptions extends DecisionTimes {
  /** When it was decided; now when absent. */
  decidedAt?: Date | null;
  /** Times of single ids, where they differ from those above. */
  times?: ReadonlyMap<string, DecisionTimes>;
}

/**
 * Marks people dirty for every enabled target, and for sources that allow write-back and hold a live account of them,
 * and wakes one `project` job per connection, all in the caller's transaction. One statement for any number of ids;
 * one cheap query when nothing is provisioned.
 *
 * Times of a change that is not delivered yet are kept where they are older: the measured delay is that of the first change.
 */
export async function markPeople(work: Work, options: MarkOptions & { personIds: readonly string[] }): Promise<void> {
  await mark(work, { ...options, ids: options.personIds, kind: "user" });
}

/** Like markPeople, for groups that a target keeps: by name, by `all`, or because it already has them. */
export async function markGroups(work: Work, options: MarkOptions & { groupIds: readonly string[] }): Promise<void> {
  await mark(work, { ...options, ids: options.groupIds, kind: "group" });
}

const RECEIVERS = `
  select exists (select from connections where enabled and (
    jsonb_typeof(policy -> 'provision') = 'object'
    or policy -> 'writeBack' ->> 'disable' = 'true' or policy -> 'writeBack' ->> 'groups' = 'true')) as any`;

const KEEP_OLDER = `
  dirty_at = $2, version = p.version + 1,
  source_changed_at = case when p.dirty_at is not null or p.state <> 'idle' then least(p.source_changed_at, excluded.source_changed_at) else excluded.source_changed_at end,
  seen_at = case when p.dirty_at is not null or p.state <> 'idle' then least(p.seen_at, excluded.seen_at) else excluded.seen_at end,
  decided_at = case when p.dirty_at is not null or p.state <> 'idle' then least(p.decided_at, excluded.decided_at) else excluded.decided_at end`;

// Rows are locked in the order of ids, so that two flows over the same people wait and don't deadlock.
const MARK_PEOPLE = `
  with changed as (
    select * from unnest($1::uuid[], $3::timestamptz[], $4::timestamptz[]) as c (id, source_changed_at, seen_at)
  ), wanted as (
    select connection.id as connection_id, changed.*
    from connections connection cross join changed
    where connection.enabled and jsonb_typeof(connection.policy -> 'provision') = 'object'
    union
    select connection.id, changed.*
    from connections connection
    join accounts account on account.connection_id = connection.id
    join changed on changed.id = account.person_id
    where connection.enabled and account.kind = 'user' and account.gone_at is null
      and (connection.policy -> 'writeBack' ->> 'disable' = 'true' or connection.policy -> 'writeBack' ->> 'groups' = 'true')
  ), marked as (
    insert into projections as p (connection_id, kind, person_id, desired_state, dirty_at, source_changed_at, seen_at, decided_at)
    select connection_id, 'user', id, 'absent', $2, source_changed_at, seen_at, $5 from wanted order by connection_id, id
    on conflict (connection_id, person_id) where person_id is not null do update set ${KEEP_OLDER}
    returning p.connection_id
  )
  select distinct connection_id from marked order by connection_id`;

const MARK_GROUPS = `
  with changed as (
    select * from unnest($1::uuid[], $3::timestamptz[], $4::timestamptz[]) as c (id, source_changed_at, seen_at)
  ), wanted as (
    select connection.id as connection_id, changed.*
    from connections connection
    cross join changed
    join groups on groups.id = changed.id
    where connection.enabled and jsonb_typeof(connection.policy -> 'provision') = 'object' and (
      connection.policy -> 'provision' ->> 'groups' = 'all'
      or exists (
        select from jsonb_array_elements_text(case jsonb_typeof(connection.policy -> 'provision' -> 'groups') when 'array' then connection.policy -> 'provision' -> 'groups' else '[]' end) as kept (name)
        where kept.name::citext = groups.display_name)
      or exists (select from projections known where known.connection_id = connection.id and known.group_id = groups.id))
  ), marked as (
    insert into projections as p (connection_id, kind, group_id, desired_state, dirty_at, source_changed_at, seen_at, decided_at)
    select connection_id, 'group', id, 'absent', $2, source_changed_at, seen_at, $5 from wanted order by connection_id, id
    on conflict (connection_id, group_id) where group_id is not null do update set ${KEEP_OLDER}
    returning p.connection_id
  )
  select distinct connection_id from marked order by connection_id`;

interface Marking extends MarkOptions {
  ids: readonly string[];
  kind: "user" | "group";
}

async function mark({ ctx, sql }: Work, { ids, kind, sourceChangedAt, seenAt, decidedAt, times }: Marking): Promise<void> {
  if (ids.length === 0 || !(await anyReceiver(sql))) return;
  const now = ctx.now();
  const unique = [...new Set(ids)];
  const { rows } = await sql.query<{ connection_id: number }>(kind === "user" ? MARK_PEOPLE : MARK_GROUPS, [
    unique,
    now,
    unique.map((id) => times?.get(id)?.sourceChangedAt ?? sourceChangedAt ?? null),
    unique.map((id) => times?.get(id)?.seenAt ?? seenAt ?? now),
    decidedAt ?? now,
  ]);
  for (const { connection_id: connectionId } of rows) {
    // The key is this flow's own: a key shared by all would make every transaction wait for the commit of the others that hold it.
    await enqueue(sql, {
      job: "project",
      payload: { connectionId },
      key: `project:${connectionId}:${ctx.correlationId}`,
      queue: `project:${connectionId}`,
    });
  }
}

async function anyReceiver(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ any: boolean }>(RECEIVERS);
  return rows[0]?.any ?? false;
}
