import { recordEvents } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { tellPerson } from "../directory/notices.ts";

const TOLD_DAYS_BEFORE = 7;
/** Grants of one transaction: each notice holds a lock until it ends. */
const MOST = 500;

interface ToldGrant {
  id: string;
  personId: string;
  role: string;
  unit: string;
  until: Date | null;
}

const SHOWN = `select g.grant_id as id, g.person_id as "personId", r.name as role, u.name::text as unit, g.valid_to as until
  from grants g join roles r on r.id = g.role_id join units u on u.id = g.unit_id join people p on p.id = g.person_id
  where g.recorded_to is null`;

/** Tells somebody of a role that they were given by hand or on request, if they want to hear of it. Of a group's grants nobody is told. */
export async function tellOfGrant(work: Work, { keyRing, grantId }: { keyRing: KeyRing; grantId: string }): Promise<void> {
  const [grant] = await grantsOf(work.sql, { where: "g.grant_id = $1", values: [grantId] });
  if (!grant) return;
  const { personId, role, unit } = grant;
  await tellPerson(work, { keyRing, personId, notice: "grant.given", data: { role, unit } });
}

/**
 * Tells people of grants that end within a week, once for each end; those that rules make come and go by themselves. Returns how many this
 * portion had: 0 when nothing is left.
 */
export async function tellEndingGrants(work: Work, { keyRing }: { keyRing: KeyRing }): Promise<number> {
  const now = work.ctx.now();
  const ending = await grantsOf(work.sql, {
    where: `g.source <> 'rule' and p.active and g.valid_from <= $1 and g.valid_to > $1 and g.valid_to <= $2
      and not exists (select from audit_events e where e.subject_type = 'grant' and e.subject_id = g.grant_id::text and e.name = 'grant.ending'
        and e.data ->> 'until' = to_char(g.valid_to at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by g.valid_to, g.id limit ${MOST}`,
    values: [now, new Date(now.getTime() + TOLD_DAYS_BEFORE * 86_400_000)],
  });
  for (const { personId, role, unit, until } of ending)
    if (until) await tellPerson(work, { keyRing, personId, notice: "grant.ends_soon", data: { role, unit, until } });
  await recordEvents(
    work,
    ending.map(({ id, until }) => ({
      name: "grant.ending" as const,
      subjectType: "grant",
      subjectId: id,
      data: { until: until?.toISOString() ?? "" },
    })),
  );
  return ending.length;
}

async function grantsOf(sql: Sql, { where, values }: { where: string; values: readonly unknown[] }): Promise<ToldGrant[]> {
  const { rows } = await sql.query<ToldGrant>(`${SHOWN} and ${where}`, [...values]);
  return rows;
}
