import { recordEvents } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { membersInEffect } from "../directory/groups.ts";
import { markPeople } from "../directory/outbox.ts";
import { closePeriods } from "../directory/periods.ts";
import { scheduleExpiry } from "./boundaries.ts";
import { wakeRulesOnRoles } from "./rules-on-roles.ts";

/** A grant as it is inserted; exactly one of personId and groupId. */
export interface GrantRow {
  grantId: string;
  personId: string | null;
  groupId: string | null;
  roleId: string;
  unitId: string;
  source: "manual" | "rule" | "request";
  ruleId: string | null;
  ruleVersion: number | null;
  expiresAfterSeconds: number | null;
  reason: string;
  validFrom: Date;
  validTo: Date | null;
}

const INSERT = `
  with given as (
    insert into grants (grant_id, person_id, group_id, role_id, unit_id, source, rule_id, rule_version, expires_after_seconds, reason, granted_by, valid_from, valid_to, recorded_from)
    select "grantId", "personId", "groupId", "roleId", "unitId", source, "ruleId", "ruleVersion", "expiresAfterSeconds", reason, $2, "validFrom", "validTo", $3
    from jsonb_to_recordset($1::jsonb) as w ("grantId" uuid, "personId" uuid, "groupId" uuid, "roleId" uuid, "unitId" uuid, source text, "ruleId" uuid,
      "ruleVersion" int, "expiresAfterSeconds" int, reason text, "validFrom" timestamptz, "validTo" timestamptz)
    returning *
  )
  select given.grant_id, given.source, roles.key as role, coalesce(units.code, units.id::text) as unit, rules.name as rule, given.reason,
    given.valid_from, given.valid_to
  from given join roles on roles.id = given.role_id join units on units.id = given.unit_id left join rules on rules.id = given.rule_id`;

interface NamedGrant {
  grant_id: string;
  source: string;
  role: string;
  unit: string;
  rule: string | null;
  reason: string;
  valid_from: Date;
  valid_to: Date | null;
}

/** Inserts grants, records them, marks those concerned for delivery, and queues the job for the first of their boundaries. */
export async function openGrants(work: Work, grants: readonly GrantRow[]): Promise<void> {
  if (grants.length === 0) return;
  const { ctx, sql } = work;
  const { rows } = await sql.query<NamedGrant>(INSERT, [JSON.stringify(grants), ctx.actor, ctx.now()]);
  await recordEvents(
    work,
    rows.map((row) => ({
      name: "grant.given" as const,
      subjectType: "grant",
      subjectId: row.grant_id,
      reason: row.reason,
      data: {
        role: row.role,
        unit: row.unit,
        source: row.source,
        from: row.valid_from.toISOString(),
        until: row.valid_to?.toISOString() ?? null,
        rule: row.rule ?? undefined,
      },
    })),
  );
  await markHolders(
    work,
    grants.filter((grant) => grant.validFrom <= ctx.now()),
  );
  await scheduleExpiry(work, { grantIds: grants.map((grant) => grant.grantId) });
}

const FIND_OPEN = `
  select g.id, g.person_id as "personId", g.group_id as "groupId", g.grant_id, g.source, roles.key as role, coalesce(units.code, units.id::text) as unit, rules.name as rule
  from grants g join roles on roles.id = g.role_id join units on units.id = g.unit_id left join rules on rules.id = g.rule_id
  where g.grant_id = any($1::uuid[]) and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  order by g.id for update of g`;

/** Closes grants now, records it, and marks those concerned; grants that are over already are passed over. Returns how many were closed. */
export async function closeGrants(work: Work, { grantIds, reason }: { grantIds: readonly string[]; reason: string }): Promise<number> {
  if (grantIds.length === 0) return 0;
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ id: number; personId: string | null; groupId: string | null } & NamedGrant>(FIND_OPEN, [
    grantIds,
    ctx.now(),
  ]);
  await closePeriods(sql, { table: "grants", ids: rows.map((row) => row.id), at: ctx.now() });
  await recordEvents(
    work,
    rows.map((row) => ({
      name: "grant.revoked" as const,
      subjectType: "grant",
      subjectId: row.grant_id,
      reason,
      data: { role: row.role, unit: row.unit, source: row.source, rule: row.rule ?? undefined },
    })),
  );
  await markHolders(work, rows);
  return rows.length;
}

/** Marks people, and the members of groups in pages: a target's scope may ask for roles, and so may a rule. */
export async function markHolders(work: Work, holders: readonly { personId: string | null; groupId: string | null }[]): Promise<void> {
  if (holders.length === 0) return;
  const personIds = [...new Set(holders.flatMap((holder) => holder.personId ?? []))];
  const groupIds = [...new Set(holders.flatMap((holder) => holder.groupId ?? []))];
  await wakeRulesOnRoles(work, { personIds, groupIds });
  await markPeople(work, { personIds });
  if (groupIds.length === 0 || !(await anyTarget(work.sql))) return;
  for await (const members of membersInEffect(work.sql, { groupIds, at: work.ctx.now() })) await markPeople(work, { personIds: members });
}

/** Spares reading a group's members when nobody is provisioned anywhere. */
async function anyTarget(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ any: boolean }>(
    "select exists (select from connections where enabled and jsonb_typeof(policy -> 'provision') = 'object') as any",
  );
  return rows[0]?.any ?? false;
}
