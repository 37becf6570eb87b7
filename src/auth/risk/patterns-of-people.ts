import type { Sql } from "../../db/database.ts";
import { closings } from "./closings.ts";
import { dormantWaking, type Waking } from "./detectors/dormant-waking.ts";
import { factorFatigue } from "./detectors/factor-fatigue.ts";
import { manyFailures } from "./detectors/many-failures.ts";
import { networkChange } from "./detectors/network-change.ts";
import { recoveryRemoval } from "./detectors/recovery-removal.ts";
import { rightPasswordRefused } from "./detectors/right-password-refused.ts";
import type { Search } from "./find-patterns.ts";
import type { Evidence, Finding, IncidentKind } from "./finding.ts";
import { HALFWAY } from "./halfway.ts";
import { attemptsOfPeople, type NotedAttempt } from "./noted-attempts.ts";

type PeopleSearch = Search & { personId?: string | undefined };

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Of whom something was noted; the person alone when one is asked for. */
const RECENT = "a.at > $1 and a.kind <> 'token' and a.person_id is not null and ($2::uuid is null or a.person_id = $2)";

/** What is seen in the attempts of single people. */
export async function patternsOfPeople(sql: Sql, search: PeopleSearch): Promise<Finding[]> {
  return [
    ...(await patternsOfStruggle(sql, search)),
    ...(await changesOfNetwork(sql, search)),
    ...(await wakings(sql, search)),
    ...(await removals(sql, search)),
  ];
}

function finding(kind: IncidentKind, { personId, evidence }: { personId: string; evidence: Evidence | null }): Finding[] {
  return evidence === null ? [] : [{ kind, subject: { type: "person", id: personId, personId }, ...evidence }];
}

/** Of whoever did not get in at the first go. */
async function patternsOfStruggle(sql: Sql, { now, since, settings, personId }: PeopleSearch): Promise<Finding[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select distinct a.person_id as id from sign_in_attempts a where ${RECENT}
       and (a.outcome <> 'ok' or a.kind = 'challenge' or (a.kind in ('second_factor', 'step_up') and exists (select from sign_in_attempts b
         where b.person_id = a.person_id and b.at > $1::timestamptz - interval '1 day' and (b.kind = 'challenge' or b.outcome <> 'ok'))))`,
    [since, personId ?? null],
  );
  const subjectIds = rows.map(({ id }) => id);
  const detectors: readonly { kind: IncidentKind; minutes: number; judge: (attempts: readonly NotedAttempt[]) => Evidence | null }[] = [
    { kind: "many_failures", minutes: settings.manyFailures.minutes, judge: (attempts) => manyFailures(attempts, settings.manyFailures) },
    {
      kind: "factor_fatigue",
      minutes: settings.factorFatigue.minutes,
      judge: (attempts) => factorFatigue(attempts, settings.factorFatigue),
    },
    { kind: "right_password_refused", minutes: 60, judge: rightPasswordRefused },
  ];
  const longest = Math.max(...detectors.map(({ minutes }) => minutes));
  const closed = new Map<IncidentKind, Map<string, Date>>();
  for (const { kind } of detectors) closed.set(kind, await closings(sql, { kind, subjectIds }));
  const found: Finding[] = [];
  const after = new Date(since.getTime() - longest * MINUTE_MS);
  for await (const { personId: id, attempts } of attemptsOfPeople(sql, { personIds: subjectIds, after })) {
    for (const { kind, judge } of detectors) {
      const from = closed.get(kind)?.get(id) ?? new Date(0);
      found.push(...finding(kind, { personId: id, evidence: judge(attempts.filter(({ at }) => at > from && at <= now)) }));
    }
  }
  return found;
}

async function changesOfNetwork(
  sql: Sql,
  { since, settings: { networkChange: limits }, placeOf, personId }: PeopleSearch,
): Promise<Finding[]> {
  const known = "b.person_id = a.person_id and b.outcome = 'ok' and b.kind <> 'token' and b.at < a.at";
  const { rows } = await sql.query<{ id: string; known: string[]; factorSince: Date | null }>(
    `select who.id, array(select distinct b.network from sign_in_attempts b where b.person_id = who.id and b.outcome = 'ok' and b.kind <> 'token'
         and b.at <= $4 and b.at > $3 and b.network is not null and not ${HALFWAY}) as known,
       (select min(f.created_at) from factors f where f.person_id = who.id) as "factorSince"
     from (select distinct a.person_id as id from sign_in_attempts a where ${RECENT} and a.outcome = 'ok' and a.network is not null
       and exists (select from sign_in_attempts b where ${known} and b.at > $4)
       and not exists (select from sign_in_attempts b where ${known} and b.at > $3 and b.network = a.network and not ${HALFWAY})) who`,
    [
      since,
      personId ?? null,
      new Date(since.getTime() - limits.knownDays * DAY_MS),
      new Date(since.getTime() - limits.minutes * MINUTE_MS),
    ],
  );
  const closed = await closings(sql, { kind: "network_change", subjectIds: rows.map(({ id }) => id) });
  const found: Finding[] = [];
  const standing = new Map(rows.map(({ id, known: networks, factorSince }) => [id, { known: new Set(networks), factorSince }]));
  const after = new Date(since.getTime() - limits.minutes * MINUTE_MS);
  for await (const { personId: id, attempts } of attemptsOfPeople(sql, { personIds: [...standing.keys()], after })) {
    const { known: networks = new Set<string>(), factorSince = null } = standing.get(id) ?? {};
    const evidence = networkChange(attempts, { minutes: limits.minutes, known: networks, factorSince, placeOf });
    if (evidence && evidence.lastAt > (closed.get(id) ?? 0)) found.push(...finding("network_change", { personId: id, evidence }));
  }
  return found;
}

async function wakings(sql: Sql, { since, settings: { dormant }, personId }: PeopleSearch): Promise<Finding[]> {
  const { rows } = await sql.query<Waking & { id: string }>(
    `select distinct on (a.person_id) a.person_id as id, a.at, a.network, p.created_at as "createdAt",
       (select max(b.at) from sign_in_attempts b where b.person_id = a.person_id and b.outcome = 'ok' and b.kind <> 'token' and b.at < a.at) as before,
       (select min(at) from sign_in_attempts) as "watchedSince"
     from sign_in_attempts a join people p on p.id = a.person_id
     where ${RECENT} and a.outcome = 'ok' and not exists (select from sign_in_attempts b
       where b.person_id = a.person_id and b.outcome = 'ok' and b.kind <> 'token' and b.at < a.at and b.at > a.at - make_interval(days => $3))
     order by a.person_id, a.at`,
    [since, personId ?? null, dormant.days],
  );
  const closed = await closings(sql, { kind: "dormant_waking", subjectIds: rows.map(({ id }) => id) });
  return rows
    .filter(({ id, at }) => at > (closed.get(id) ?? 0))
    .flatMap(({ id, ...waking }) => finding("dormant_waking", { personId: id, evidence: dormantWaking(waking, dormant) }));
}

async function removals(sql: Sql, { since, settings: { recoveryRemoval: limits }, personId }: PeopleSearch): Promise<Finding[]> {
  const { rows } = await sql.query<{ id: string; recoveries: Date[]; removals: Date[] }>(
    `select p.id, array_agg(e.at order by e.at) filter (where e.name = 'factor.recovery_code_used') as recoveries,
       array_agg(e.at order by e.at) filter (where e.name <> 'factor.recovery_code_used') as removals
     from audit_events e join people p on e.subject_type = 'person' and e.subject_id = p.id::text
     where e.at > $1 and ($2::uuid is null or p.id = $2) and e.name in ('factor.recovery_code_used', 'factor.removed', 'factor.reset') group by p.id`,
    [new Date(since.getTime() - limits.minutes * MINUTE_MS), personId ?? null],
  );
  const closed = await closings(sql, { kind: "recovery_removal", subjectIds: rows.map(({ id }) => id) });
  return rows.flatMap(({ id, recoveries, removals: removed }) => {
    const after = (times: Date[] | null) => (times ?? []).filter((at) => at > (closed.get(id) ?? 0));
    return finding("recovery_removal", {
      personId: id,
      evidence: recoveryRemoval({ recoveries: recoveries ?? [], removals: after(removed) }, limits),
    });
  });
}
