import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/** The times of the decision that made something dirty (the fourth, delivered, is set by the delivery). */
export interface DecisionTimes {
  /** When the source says that it changed. */
  sourceChangedAt?: Date | null;
  /** When we read it; when it was decided when absent, because what begins here is seen as it happens. */
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

/** A condition: whether anything at all receives what changes here. */
export const ANY_RECEIVER = `exists (select from connections where enabled and (
    jsonb_typeof(policy -> 'provision') = 'object'
    or policy -> 'writeBack' ->> 'disable' = 'true' or policy -> 'writeBack' ->> 'groups' = 'true'))`;

/** A condition: whether any rule looks at people themselves. */
export const ANY_CONDITION = "exists (select from rules where condition is not null and deleted_at is null)";

/** SQL of a statement that marks, placeholders or columns of what changed: the instant, and when it was decided. */
interface MarkingPlaceholders {
  now: string;
  decided: string;
}

/** The three times of one decision stay together: those of the first that is not delivered yet. */
const keepOlder = () => {
  const waiting = "(p.dirty_at is not null or p.state <> 'idle') and p.decided_at <= excluded.decided_at";
  const kept = (column: string) => `${column} = case when ${waiting} then p.${column} else excluded.${column} end`;
  return `
  dirty_at = excluded.dirty_at, version = p.version + 1,
  ${["source_changed_at", "seen_at", "decided_at"].map(kept).join(",\n  ")}`;
};

/**
 * Marks the people of a table expression `changed_people` (id, source_changed_at, seen_at), within a statement that does more:
 * more table expressions, the last of which (`marked_people`) has the connections to wake. Rows are locked in the order of ids,
 * so that two flows over the same people wait and don't deadlock.
 */
export const markedPeople = (given: MarkingPlaceholders) => `
  wanted_people as (
    select connection.id as connection_id, changed_people.*
    from connections connection cross join changed_people
    where connection.enabled and jsonb_typeof(connection.policy -> 'provision') = 'object'
    union
    select connection.id, changed_people.*
    from connections connection
    join accounts account on account.connection_id = connection.id
    join changed_people on changed_people.id = account.person_id
    where connection.enabled and account.kind = 'user' and account.gone_at is null
      and (connection.policy -> 'writeBack' ->> 'disable' = 'true' or connection.policy -> 'writeBack' ->> 'groups' = 'true')
  ), marked_people as (
    insert into projections as p (connection_id, kind, person_id, desired_state, dirty_at, source_changed_at, seen_at, decided_at)
    select connection_id, 'user', id, 'absent', ${given.now}, source_changed_at, seen_at, ${given.decided} from wanted_people order by connection_id, id
    on conflict (connection_id, person_id) where person_id is not null do update set ${keepOlder()}
    returning p.connection_id
  )`;

/**
 * Like markedPeople, for `changed_groups`, and for all that hold them, over others too: targets have groups with everybody inside. Those
 * that held them once are looked at as well, since a group may leave another in the same flow.
 */
export const markedGroups = (given: MarkingPlaceholders) => `
  wanted_groups as (
    select distinct on (connection.id, above.id) connection.id as connection_id, above.id,
      changed_groups.source_changed_at, changed_groups.seen_at, ${given.decided} as decided_at
    from connections connection
    cross join (
      with recursive above as (
        select id as changed_id, id from changed_groups
        union
        select above.changed_id, n.parent_group_id from above join nestings n on n.child_group_id = above.id and n.recorded_to is null
      ) select * from above) above
    join changed_groups on changed_groups.id = above.changed_id
    join groups on groups.id = above.id
    where connection.enabled and jsonb_typeof(connection.policy -> 'provision') = 'object' and (
      connection.policy -> 'provision' ->> 'groups' = 'all'
      or exists (
        select from jsonb_array_elements_text(case jsonb_typeof(connection.policy -> 'provision' -> 'groups') when 'array' then connection.policy -> 'provision' -> 'groups' else '[]' end) as kept (name)
        where kept.name::citext = groups.display_name)
      or exists (select from projections known where known.connection_id = connection.id and known.group_id = groups.id))
    order by connection.id, above.id, above.id = above.changed_id desc
  ), marked_groups as (
    insert into projections as p (connection_id, kind, group_id, desired_state, dirty_at, source_changed_at, seen_at, decided_at)
    select connection_id, 'group', id, 'absent', ${given.now}, source_changed_at, seen_at, decided_at from wanted_groups order by connection_id, id
    on conflict (connection_id, group_id) where group_id is not null do update set ${keepOlder()}
    returning p.connection_id
  )`;

/** A query that wakes the `project` jobs of the connections marked in these table expressions, within the statement that marks. */
export const wokenProjects = ({ marked, correlation }: { marked: readonly string[]; correlation: string }) => `
  select enqueue_job('project', payload := json_build_object('connectionId', m.connection_id), queue_name := 'project:' || m.connection_id,
    run_at := now(), max_attempts := 25, job_key := 'project:' || m.connection_id || ':' || ${correlation}, job_key_mode := 'replace') as job
  from (${marked.map((name) => `select connection_id from ${name}`).join(" union ")} order by 1) m`;

const changedRows = (name: string) =>
  `${name} as (select * from unnest($1::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) as c (id, source_changed_at, seen_at, decided_at))`;
const GIVEN = { now: "$2", decided: "decided_at" };

const MARK = {
  user: `with ${changedRows("changed_people")}, ${markedPeople(GIVEN)} select distinct connection_id from marked_people order by connection_id`,
  group: `with ${changedRows("changed_groups")}, ${markedGroups(GIVEN)} select distinct connection_id from marked_groups order by connection_id`,
} as const;

interface MarkTimes {
  sourceChangedAt: Date | null;
  seenAt: Date;
  decidedAt: Date;
}

/** What the steps of one flow have marked so far, by id. */
export type WaitingMarks = Readonly<Record<"user" | "group", Map<string, MarkTimes>>>;

/** Of so many the marks are made at once after all: a whole directory is not kept in memory. */
const MOST_WAITING = 20_000;

/**
 * Runs a flow whose steps mark at several places, and marks at its end: people, then groups, each in the order of ids. A transaction
 * that marks twice takes rows in two orders, and deadlocks with another that marks, or decides about, the same people.
 */
export async function markedOnce<T>(work: Work, flow: (work: Work) => Promise<T>): Promise<T> {
  const marks = { user: new Map(), group: new Map() };
  const result = await flow({ ...work, marks });
  await markWaiting(work, marks);
  return result;
}

async function markWaiting(work: Work, marks: WaitingMarks): Promise<void> {
  for (const kind of ["user", "group"] as const) {
    await markNow(work, { kind, times: marks[kind] });
    marks[kind].clear();
  }
}

interface Marking extends MarkOptions {
  ids: readonly string[];
  kind: "user" | "group";
}

async function mark(work: Work, { ids, kind, sourceChangedAt, seenAt, decidedAt, times: single }: Marking): Promise<void> {
  const now = work.ctx.now();
  const times = work.marks?.[kind] ?? new Map<string, MarkTimes>();
  for (const id of ids) {
    const known = times.get(id);
    const changed = single?.get(id)?.sourceChangedAt ?? sourceChangedAt ?? null;
    // Of one flow's decisions the first counts, but for one that the source began: its whole way is measured.
    if (known && (known.sourceChangedAt !== null || changed === null)) continue;
    times.set(id, { sourceChangedAt: changed, seenAt: single?.get(id)?.seenAt ?? seenAt ?? decidedAt ?? now, decidedAt: decidedAt ?? now });
  }
  if (!work.marks) await markNow(work, { kind, times });
  else if (times.size > MOST_WAITING) await markWaiting(work, work.marks);
}

async function markNow(
  { ctx, sql }: Work,
  { kind, times }: { kind: "user" | "group"; times: ReadonlyMap<string, MarkTimes> },
): Promise<void> {
  if (times.size === 0 || !(await anyReceiver(sql))) return;
  const each = [...times.values()];
  const { rows } = await sql.query<{ connection_id: number }>(MARK[kind], [
    [...times.keys()],
    ctx.now(),
    each.map(({ sourceChangedAt }) => sourceChangedAt),
    each.map(({ seenAt }) => seenAt),
    each.map(({ decidedAt }) => decidedAt),
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
  const { rows } = await sql.query<{ any: boolean }>(`select ${ANY_RECEIVER} as any`);
  return rows[0]?.any ?? false;
}
