import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import { closePeriods } from "./periods.ts";

// Sign-ins before sessions, as whoever proves themselves again locks them.
const END_SESSIONS = `
  with under_way as (
    update sign_ins i set ended_at = $2, state = '{}' where i.person_id = any($1::uuid[]) and i.ended_at is null returning i.id
  ), ended as (
    update sessions s set ended_at = $2, ended_reason = l.reason
    from unnest($1::uuid[], $3::text[]) as l (person_id, reason)
    where s.person_id = l.person_id and s.ended_at is null and (select count(*) from under_way) >= 0 returning s.person_id
  )
  select person_id, count(*)::int as count from ended group by person_id order by person_id`;

const REVOKE_TOKENS = `
  with revoked as (
    update tokens t set revoked_at = $2, revoked_reason = l.reason
    from unnest($1::uuid[], $3::text[]) as l (person_id, reason)
    where t.person_id = l.person_id and t.revoked_at is null returning t.person_id
  )
  select person_id, count(*)::int as count from revoked group by person_id order by person_id`;

const STOPPED_TOKENS = `
  select t.id, t.name, t.responsible_id as "personId", l.reason from tokens t join unnest($1::uuid[], $3::text[]) as l (person_id, reason) on l.person_id = t.responsible_id
  where t.revoked_at is null and (t.expires_at is null or t.expires_at > $2) order by t.id`;

/**
 * Ends the sessions of people who may no longer be here, and the sign-ins under way that would become some, and revokes their tokens, in
 * the transaction of that decision. Tokens of services that they answer for open nothing from now on; the trail names each, so that somebody takes it over.
 */
export async function endPresence(work: Work, leavers: readonly { personId: string; reason: string }[]): Promise<void> {
  if (leavers.length === 0) return;
  const { ctx, sql } = work;
  const parameters = [leavers.map((leaver) => leaver.personId), ctx.now(), leavers.map((leaver) => leaver.reason)];
  const reasonOf = new Map(leavers.map((leaver) => [leaver.personId, leaver.reason]));
  const { rows: sessions } = await sql.query<{ person_id: string; count: number }>(END_SESSIONS, parameters);
  const { rows: tokens } = await sql.query<{ person_id: string; count: number }>(REVOKE_TOKENS, parameters);
  const { rows: stopped } = await sql.query<{ id: string; name: string; personId: string; reason: string }>(STOPPED_TOKENS, parameters);
  for (const personId of new Set(stopped.map((token) => token.personId)))
    await enqueue(sql, { job: "tell_stopped_tokens", payload: { personId } });
  await recordEvents(work, [
    ...stopped.map(({ id, name, reason }) => ({
      name: "token.stopped" as const,
      subjectType: "token",
      subjectId: id,
      reason: `who answers for it has no access: ${reason}`,
      data: { name },
    })),
    ...sessions.map((row) => ({
      name: "session.ended" as const,
      subjectType: "person",
      subjectId: row.person_id,
      reason: reasonOf.get(row.person_id),
      data: { count: row.count },
    })),
    ...tokens.map((row) => ({
      name: "token.revoked" as const,
      subjectType: "person",
      subjectId: row.person_id,
      reason: reasonOf.get(row.person_id),
      data: { count: row.count },
    })),
  ]);
}

const FIND_GRANTS = `
  select g.id, g.grant_id, g.source, roles.key as role, coalesce(units.code, units.id::text) as unit, rules.name as rule
  from grants g
  join roles on roles.id = g.role_id
  join units on units.id = g.unit_id
  left join rules on rules.id = g.rule_id
  where g.person_id = any($1::uuid[]) and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  order by g.id`;

/**
 * Closes the grants made to these people themselves, those that begin later too, and ends their matches of condition rules, so
 * that a match after their return is a new one. Grants to their groups stay: they give nothing to somebody who is not active.
 */
export async function withdrawGrants(work: Work, { personIds, reason }: { personIds: readonly string[]; reason: string }): Promise<void> {
  if (personIds.length === 0) return;
  const { ctx, sql } = work;
  const now = ctx.now();
  const { rows: grants } = await sql.query<{
    id: number;
    grant_id: string;
    source: string;
    role: string;
    unit: string;
    rule: string | null;
  }>(FIND_GRANTS, [personIds, now]);
  await closePeriods(sql, { table: "grants", ids: grants.map((grant) => grant.id), at: now });
  await recordEvents(
    work,
    grants.map((grant) => ({
      name: "grant.revoked" as const,
      subjectType: "grant",
      subjectId: grant.grant_id,
      reason,
      data: { role: grant.role, unit: grant.unit, source: grant.source, rule: grant.rule ?? undefined },
    })),
  );
  const { rows: matches } = await sql.query<{ id: number }>(
    "select id from rule_matches where person_id = any($1::uuid[]) and recorded_to is null and valid_to is null",
    [personIds],
  );
  await closePeriods(sql, { table: "rule_matches", ids: matches.map((match) => match.id), at: now });
}
