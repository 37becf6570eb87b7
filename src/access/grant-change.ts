import { recordEvent } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { scheduleExpiry } from "./boundaries.ts";
import { markHolders } from "./grant-rows.ts";

export interface GrantChange {
  grantId: string;
  /** When it is to end; null = no end; as it is when absent. */
  until?: Date | null | undefined;
  reason: string;
}

interface Standing {
  id: number;
  personId: string | null;
  groupId: string | null;
  source: string;
  rule: string | null;
  role: string;
  unit: string;
  from: Date;
  until: Date | null;
}

const STANDING = `
  select g.id, g.person_id as "personId", g.group_id as "groupId", g.source, rules.name as rule, roles.key as role, coalesce(units.code, units.id::text) as unit,
    g.valid_from as from, g.valid_to as until
  from grants g join roles on roles.id = g.role_id join units on units.id = g.unit_id left join rules on rules.id = g.rule_id
  where g.grant_id = $1 and g.recorded_to is null order by g.id desc limit 1 for update of g`;

const SUPERSEDE = `
  with superseded as (update grants set recorded_to = greatest($2::timestamptz, recorded_from) where id = $1 returning *)
  insert into grants (grant_id, person_id, group_id, role_id, unit_id, source, rule_id, rule_version, expires_after_seconds, reason, granted_by, valid_from, valid_to, recorded_from)
  select grant_id, person_id, group_id, role_id, unit_id, source, rule_id, rule_version, expires_after_seconds, $4, granted_by, valid_from, $3, recorded_to from superseded`;

/**
 * Extends or shortens a grant: what was believed before is kept beside it. Throws `not_found` when it is unknown, `conflict` when it is
 * over or a rule makes it, `invalid` for an end that is past or before its beginning.
 */
export async function changeGrant(work: Work, { grantId, until, reason }: GrantChange): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<Standing>(STANDING, [grantId]);
  const [grant] = rows;
  if (!grant) throw new AppError("not_found", `There is no grant ${grantId}.`, { field: "grant" });
  const now = ctx.now();
  if (grant.source === "rule")
    throw new AppError("conflict", `The grant ${grantId} is made by the rule ${grant.rule}: change the rule.`, { field: "grant" });
  if (grant.until && grant.until <= now)
    throw new AppError("conflict", `The grant ${grantId} is over since ${grant.until.toISOString()}; give the role again.`, {
      field: "grant",
    });
  const end = until === undefined ? grant.until : until;
  if (end && (end <= now || end <= grant.from))
    throw new AppError("invalid", "until: a grant ends in the future and after its beginning; to end it now, revoke it.", {
      field: "until",
    });
  await sql.query(SUPERSEDE, [grant.id, now, end, reason]);
  await recordEvent(work, {
    name: "grant.changed",
    subjectType: "grant",
    subjectId: grantId,
    reason,
    data: {
      role: grant.role,
      unit: grant.unit,
      source: grant.source,
      until: end?.toISOString() ?? null,
      before: grant.until?.toISOString() ?? null,
    },
  });
  await markHolders(work, [grant]);
  await scheduleExpiry(work, { grantIds: [grantId] });
}
