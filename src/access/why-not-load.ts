import type { Sql } from "../db/database.ts";
import type { ExplainFacts } from "./explain-facts.ts";
import { beliefAt, GRANT, type ExplainQuestion } from "./explain-load.ts";
import type { OtherRule, OtherWays } from "./why-not.ts";

/** More than these nobody reads, and the first are enough to act. */
const MOST = 50;

const OTHER_GRANTS = (believed: (alias: string) => string) => `
  select ${GRANT}, groups.display_name::text as "group"
  from grants g join groups on groups.id = g.group_id and (groups.deleted_at is null or groups.deleted_at > $4)
  join units u on u.id = g.unit_id left join rules r on r.id = g.rule_id
  where g.group_id is not null and g.role_id = any($1::uuid[]) and g.unit_id = any($2::uuid[]) and ${believed("g")}
    and g.valid_from <= $4 and (g.valid_to is null or g.valid_to > $4) and not g.group_id = any($5::uuid[])
  order by exists (select from believed_memberships m where m.group_id = g.group_id and m.person_id = $6) desc, groups.display_name, g.grant_id limit ${MOST}`;

const OTHER_RULES = `
  select r.id, r.name, r.group_name::text as "group", r.condition, r.role_id as "roleId", jsonb_build_object('id', u.id, 'name', u.name, 'code', u.code) as unit,
    r.enabled, r.starts_at as "startsAt", r.expires_at as "expiresAt",
    exists (select from rule_matches m where m.rule_id = r.id and m.person_id = $3 and m.recorded_to is null and m.valid @> $4::timestamptz) as matched,
    exists (select from groups where display_name = r.group_name and deleted_at is null and (r.connection_id is null or origin_id = r.connection_id)) as "groupFound"
  from rules r join units u on u.code = r.unit_code
  where r.role_id = any($1::uuid[]) and u.id = any($2::uuid[]) and r.deleted_at is null order by r.name limit ${MOST}`;

/** What would give the permission on the unit to others, of groups and rules at most so many as somebody reads. */
export async function loadOtherWays(sql: Sql, facts: ExplainFacts, { personId, at, knownAt }: ExplainQuestion): Promise<OtherWays> {
  const roleIds = [...facts.roles.values()]
    .filter(({ holds, parentIds, deleted }) => !deleted && (holds || parentIds.length > 0))
    .map(({ id }) => id);
  const unitIds = facts.unitPath.map(({ id }) => id);
  if (roleIds.length === 0 || unitIds.length === 0) return { grants: [], rules: [] };
  const reached = facts.memberships.filter(({ from, to }) => from <= at && (to === null || to > at)).map(({ groupId }) => groupId);
  const inside = [...reached, ...facts.nestings.map(({ parentId }) => parentId)];
  const grants = await sql.query<OtherWays["grants"][number]>({
    name: `explain-other-grants-${knownAt === undefined ? "now" : "then"}`,
    text: OTHER_GRANTS(beliefAt(knownAt, "$3")),
    values: [roleIds, unitIds, knownAt ?? null, at, inside, personId],
  });
  const rules = await sql.query<OtherRule>({ name: "explain-other-rules", text: OTHER_RULES, values: [roleIds, unitIds, personId, at] });
  return { grants: grants.rows, rules: rules.rows };
}
