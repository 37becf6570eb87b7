import type { Sql, Work } from "../db/database.ts";
import { liftBlocks, raiseBlocks, type BlockEffect } from "./blocks.ts";
import { absencesOf, type Absence, type EmploymentPeriod } from "./employment-period.ts";
import type { DecisionTimes } from "./outbox.ts";
import { closePeriods } from "./periods.ts";

/** What is known from now on of the time in which somebody is employed. */
export interface Employment extends DecisionTimes {
  personId: string;
  /** Who says so; null = edited here. */
  connectionId: number | null;
  /** Null: nobody gives dates any more. */
  period: EmploymentPeriod | null;
}

interface StandingRow {
  id: number;
  personId: string;
  connectionId: number | null;
  effect: BlockEffect;
  from: Date;
  to: Date | null;
}

const LOCK_PEOPLE = "select from people where id = any($1::uuid[]) order by id for update";

const STANDING = `
  select id, person_id as "personId", connection_id as "connectionId", effect, valid_from as "from", valid_to as "to"
  from employment_absences where person_id = any($1::uuid[]) and recorded_to is null and (valid_to is null or valid_to > $2)`;

const INSERT = `
  insert into employment_absences (person_id, connection_id, effect, valid_from, valid_to, recorded_from)
  select a."personId", a."connectionId", a.effect, a."from", a."to", $2
  from jsonb_to_recordset($1::jsonb) as a ("personId" uuid, "connectionId" int, effect text, "from" timestamptz, "to" timestamptz)`;

/**
 * Believes new times of employment, in the caller's transaction, and carries out what of them has come: whoever is not employed now
 * is blocked, and whoever is again is not. What was so before stays so. Safe to repeat. Returns the next instant at which one of
 * these times begins or ends, for which the caller queues a job; null when nothing is ahead.
 */
export async function setEmployment(work: Work, employments: readonly Employment[]): Promise<Date | null> {
  if (employments.length === 0) return null;
  const { ctx, sql } = work;
  const now = ctx.now();
  const personIds = employments.map(({ personId }) => personId);
  await sql.query(LOCK_PEOPLE, [personIds]);
  const { rows } = await sql.query<StandingRow>(STANDING, [personIds, now]);
  const standing = new Map<string, StandingRow[]>();
  for (const row of rows) standing.set(row.personId, [...(standing.get(row.personId) ?? []), row]);
  const changes = employments
    .map(({ personId, connectionId, period }) => ({
      personId,
      before: standing.get(personId) ?? [],
      wanted: (period ? absencesOf(period, now) : []).map((absence) => ({ ...absence, personId, connectionId })),
    }))
    .filter(({ before, wanted }) => !sameAbsences(before, wanted, now));
  await closePeriods(sql, { table: "employment_absences", ids: changes.flatMap(({ before }) => before.map(({ id }) => id)), at: now });
  const wanted = changes.flatMap((change) => change.wanted);
  if (wanted.length > 0) await sql.query(INSERT, [JSON.stringify(wanted), now]);
  const times = new Map(employments.map((employment) => [employment.personId, employment]));
  await settleEmployment(work, { personIds, times });
  const ahead = wanted.flatMap(({ from, to }) => [from, ...(to ? [to] : [])]).filter((at) => at > now);
  return ahead.length === 0 ? null : new Date(Math.min(...ahead.map((at) => at.getTime())));
}

type Known = Absence & { connectionId: number | null };

/** Whether two lists of times say the same from `now` on; what has begun already counts from now. */
export function sameAbsences(one: readonly Known[], other: readonly Known[], now: Date): boolean {
  const said = (absences: readonly Known[]) =>
    absences
      .filter(({ to }) => to === null || to > now)
      .map(({ from, to, effect, connectionId }) => [Math.max(from.getTime(), now.getTime()), to?.getTime(), effect, connectionId].join(" "))
      .sort()
      .join();
  return said(one) === said(other);
}

// Both ways: an absence without its block, and a block without its absence. Asked of what is so, not of what has happened since, so
// that a late or repeated job makes up for everything.
const DUE = `
  select coalesce(a.person_id, b.person_id) as "personId", a.effect, a.connection_id as "absentFor", a.valid_from as "since",
    b.connection_id as "blockedFor", a.id is not null as absent, b.id is not null as blocked
  from (select * from employment_absences e where recorded_to is null and valid_from <= $1 and (valid_to is null or valid_to > $1) and ($2::uuid[] is null or person_id = any($2))
    and exists (select from people where id = e.person_id and state <> 'deleted')) a
  full join (select * from blocks where owner = 'employment' and recorded_to is null and valid_to is null and ($2::uuid[] is null or person_id = any($2))) b
    on b.person_id = a.person_id and b.connection_id is not distinct from a.connection_id and b.effect = a.effect
  where a.id is null or b.id is null
  order by 1`;

interface DueRow {
  personId: string;
  effect: BlockEffect;
  absentFor: number | null;
  since: Date;
  blockedFor: number | null;
  absent: boolean;
  blocked: boolean;
}

/**
 * Blocks everybody who is not employed now, and lifts that block from everybody who is, in the caller's transaction and with it all
 * that follows: sessions, tokens, grants, deliveries. Of everybody, or of the people named, whom the caller holds locked. Returns the ids of those concerned.
 */
export async function settleEmployment(
  work: Work,
  { personIds, times }: { personIds?: readonly string[]; times?: ReadonlyMap<string, DecisionTimes> } = {},
): Promise<string[]> {
  const concerned = personIds ?? (await lockDue(work));
  const { rows } = await work.sql.query<DueRow>(DUE, [work.ctx.now(), concerned]);
  const timesOf = ({ personId, since }: DueRow): DecisionTimes => times?.get(personId) ?? (since ? { sourceChangedAt: since } : {});
  const raised = rows.filter(({ absent }) => absent);
  // Raised first: nobody is let in for a moment because another connection gives the dates now.
  await raiseBlocks(
    work,
    raised.map((row) => ({
      ...pick(timesOf(row)),
      personId: row.personId,
      owner: "employment" as const,
      connectionId: row.absentFor,
      effect: row.effect,
      reason: row.effect === "suspended" ? "before the first day of employment" : "after the last day of employment",
    })),
  );
  const replaced = new Set(raised.map(({ personId, absentFor }) => keyOf(personId, absentFor)));
  const lifted = rows.filter(({ blocked, personId, blockedFor }) => blocked && !replaced.has(keyOf(personId, blockedFor)));
  await liftBlocks(
    work,
    lifted.map((row) => ({ ...pick(timesOf(row)), personId: row.personId, owner: "employment" as const, connectionId: row.blockedFor })),
  );
  return [...new Set([...raised, ...lifted].map(({ personId }) => personId))];
}

/** Under their locks it is asked again: a run that has just believed other dates must not be undone by what was so before. */
async function lockDue({ ctx, sql }: Work): Promise<string[]> {
  const { rows } = await sql.query<DueRow>(DUE, [ctx.now(), null]);
  const personIds = [...new Set(rows.map(({ personId }) => personId))];
  if (personIds.length > 0) await sql.query(LOCK_PEOPLE, [personIds]);
  return personIds;
}

const keyOf = (personId: string, connectionId: number | null) => `${personId} ${connectionId ?? "local"}`;

const pick = ({ sourceChangedAt, seenAt }: DecisionTimes): DecisionTimes => ({ sourceChangedAt, seenAt });

/** What is known of a person's employment: the times outside it that are not over, in order. Empty for whoever has no dates ahead. */
export async function employmentAbsences(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<Known[]> {
  const { rows } = await sql.query<Known>(`${STANDING} order by valid_from`, [[personId], at]);
  return rows.map(({ from, to, effect, connectionId }) => ({ from, to, effect, connectionId }));
}
