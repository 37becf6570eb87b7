import type { AuditLine } from "../audit/tail.ts";
import type { Sql } from "../db/database.ts";
import { employmentAbsences } from "../directory/employment.ts";
import { groupsOfPeople } from "../directory/groups.ts";
import { findPerson, type FoundPerson } from "../directory/people.ts";
import { personExpiry } from "../directory/person-expiry.ts";
import { effectiveAccess, type EffectiveAccess } from "./effective.ts";
import { grantsOfPerson, type PersonGrant } from "./grants.ts";

export interface PersonCard {
  person: FoundPerson;
  /** When the person's access ends by itself, or ended; null when no end is set. */
  accessEnds: Date | null;
  /** What the dates of employment give: access from and until; null for whoever has no dates that still count. */
  employment: { from: Date | null; until: Date | null } | null;
  /** Why the person is not active; empty for somebody who is. */
  blocks: readonly { owner: string; connection: string | null; effect: string; reason: string; since: Date }[];
  accounts: readonly { connection: string; connector: string; situation: string; nativeId: string; changedAt: Date; goneAt: Date | null }[];
  groups: readonly { displayName: string; direct: boolean }[];
  units: readonly { code: string | null; name: string }[];
  /** Made to the person itself. */
  grants: readonly PersonGrant[];
  /** What follows from all grants, those of groups too: per granted unit and role. */
  access: readonly AccessSummary[];
  deliveries: readonly {
    target: string;
    desiredState: string;
    deliveredState: string | null;
    state: string;
    nativeId: string | null;
    lastError: string | null;
    deliveredAt: Date | null;
  }[];
  /** The newest last. */
  events: readonly AuditLine[];
}

export interface AccessSummary {
  unit: string;
  role: string;
  /** Group through which it comes; null when the grant is the person's own. */
  group: string | null;
  /** Units covered, the granted one included. */
  units: number;
  permissions: readonly string[];
  /** When it ends by itself. */
  endsAt: Date | null;
}

const BLOCKS = `
  select b.owner, c.name as connection, b.effect, b.reason, b.valid_from as since
  from blocks b left join connections c on c.id = b.connection_id
  where b.person_id = $1 and b.recorded_to is null and b.valid_to is null order by b.valid_from, b.id`;

const ACCOUNTS = `
  select c.name as connection, c.connector, a.situation, a.native_id as "nativeId", a.changed_at as "changedAt", a.gone_at as "goneAt"
  from accounts a join connections c on c.id = a.connection_id where $1 in (a.person_id, a.former_person_id) order by c.name, a.id`;

const UNITS = `
  select distinct units.code::text, units.name::text from person_units p join units on units.id = p.unit_id
  where p.person_id = $1 and p.recorded_to is null and p.valid @> $2::timestamptz order by 2`;

const DELIVERIES = `
  select c.name as target, p.desired_state as "desiredState", p.delivered_state as "deliveredState", p.state, p.native_id as "nativeId", p.last_error as "lastError", p.delivered_at as "deliveredAt"
  from projections p join connections c on c.id = p.connection_id where p.person_id = $1 order by c.name`;

const EVENTS = `
  select id, at, name, actor, subject_type as "subjectType", subject_id as "subjectId", correlation_id as "correlationId", reason, data
  from audit_events where subject_type = 'person' and subject_id = $1 order by id desc limit $2`;

/** Everything that is known of one person at an instant, found as findPerson does. Throws as it does. */
export async function personCard(sql: Sql, { key, at, events = 10 }: { key: string; at: Date; events?: number }): Promise<PersonCard> {
  const person = await findPerson(sql, key);
  const rowsOf = async <Row extends object>(text: string, ...more: unknown[]) => (await sql.query<Row>(text, [person.id, ...more])).rows;
  return {
    person,
    accessEnds: await personExpiry(sql, person.id),
    employment: await employmentOf(sql, { personId: person.id, at }),
    blocks: await rowsOf<PersonCard["blocks"][number]>(BLOCKS),
    accounts: await rowsOf<PersonCard["accounts"][number]>(ACCOUNTS),
    groups: (await groupsOfPeople(sql, { personIds: [person.id], at })).map(({ displayName, direct }) => ({ displayName, direct })),
    units: await rowsOf<PersonCard["units"][number]>(UNITS, at),
    grants: await grantsOfPerson(sql, { personId: person.id, at }),
    access: await summarise(sql, { personId: person.id, at }),
    deliveries: await rowsOf<PersonCard["deliveries"][number]>(DELIVERIES),
    events: (await rowsOf<AuditLine>(EVENTS, events)).reverse(),
  };
}

async function employmentOf(sql: Sql, asked: { personId: string; at: Date }): Promise<PersonCard["employment"]> {
  const absences = await employmentAbsences(sql, asked);
  if (absences.length === 0) return null;
  return { from: absences.find(({ to }) => to !== null)?.to ?? null, until: absences.find(({ to }) => to === null)?.from ?? null };
}

async function summarise(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<AccessSummary[]> {
  const rows = await effectiveAccess(sql, { personId, at });
  const names = await namesOf(
    sql,
    rows.flatMap((row) => [row.grantedUnitId, row.roleId, row.groupId ?? row.roleId]),
  );
  const derivations = new Map<string, EffectiveAccess[]>();
  for (const row of rows) {
    const key = [row.grantId, row.groupId, row.endsAt?.toISOString()].join(" ");
    const known = derivations.get(key);
    if (known) known.push(row);
    else derivations.set(key, [row]);
  }
  return [...derivations.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    return {
      unit: names.get(first.grantedUnitId) ?? first.grantedUnitId,
      role: names.get(first.roleId) ?? first.roleId,
      group: first.groupId === null ? null : (names.get(first.groupId) ?? first.groupId),
      units: new Set(group.map((row) => row.unitId)).size,
      permissions: [...new Set(group.map((row) => row.permission))].sort(),
      endsAt: first.endsAt,
    };
  });
}

async function namesOf(sql: Sql, ids: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await sql.query<{ id: string; name: string }>(
    `select id, coalesce(code, name)::text as name from units where id = any($1::uuid[])
     union all select id, key from roles where id = any($1::uuid[])
     union all select id, display_name::text from groups where id = any($1::uuid[])`,
    [[...new Set(ids)]],
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}
