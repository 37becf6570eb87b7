import { randomUUID } from "node:crypto";
import type { Sql, Work } from "../db/database.ts";
import { settleRuleGrants } from "./condition-rules.ts";
import { closeGrants, openGrants } from "./grant-rows.ts";
import { lockRules } from "./rule-lock.ts";

export interface ReconcileOptions {
  /** Groups that arrived, changed their name or origin, or went. */
  groupIds?: readonly string[];
  /** Units that arrived, changed their code, or went. */
  unitIds?: readonly string[];
  ruleIds?: readonly string[];
}

// Rules that name one of these, or have a grant for one of these. The row locks make a group and a unit that arrive in two
// transactions at once see each other, one after the other.
const CONCERNED = `
  select r.id, r.name, r.condition is not null as conditional from rules r
  where ($1::uuid[] is null and $2::uuid[] is null and $3::uuid[] is null)
    or r.id = any($3)
    or r.group_name in (select display_name from groups where id = any($1))
    or r.unit_code in (select code from units where id = any($2))
    or r.id in (select rule_id from grants where recorded_to is null and rule_id is not null and (group_id = any($1) or unit_id = any($2)))
  order by r.id for update`;

interface Wanted {
  rule_id: string;
  version: number;
  role_id: string;
  starts_at: Date | null;
  expires_at: Date | null;
  seconds: number | null;
  group_id: string;
  unit_id: string;
}

const WANTED = `
  select r.id as rule_id, r.version, r.role_id, r.starts_at, r.expires_at, r.expires_after_seconds as seconds, g.id as group_id, u.id as unit_id
  from rules r
  join groups g on g.display_name = r.group_name and g.deleted_at is null and (r.connection_id is null or g.origin_id = r.connection_id)
  join units u on u.code = r.unit_code and u.deleted_at is null
  where r.id = any($1::uuid[]) and r.enabled and r.deleted_at is null and (r.expires_at is null or r.expires_at > $2)
  order by r.name, g.id, u.id`;

const STANDING = `
  select grant_id, rule_id, rule_version as version, role_id, group_id, unit_id from grants
  where rule_id = any($1::uuid[]) and group_id is not null and recorded_to is null and (valid_to is null or valid_to > $2)
  order by id`;

/**
 * Makes the grants of group rules what they should be: one to each group that a rule names, as soon as rule, group and unit are all
 * there, in whatever order they came (M3). A changed rule supersedes its grants, one that is gone closes them. Without options: all rules.
 * Of condition rules, those that wait for one of `unitIds` are carried out for those who match already.
 */
export async function reconcileGroupRules(
  work: Work,
  { groupIds, unitIds, ruleIds }: ReconcileOptions = {},
): Promise<{ given: number; closed: number }> {
  const { ctx, sql } = work;
  const given = [groupIds, unitIds, ruleIds];
  if (given.some((ids) => ids !== undefined) && given.every((ids) => !ids?.length)) return { given: 0, closed: 0 };
  await lockRules(sql, "shared");
  const { rows: rules } = await sql.query<{ id: string; name: string; conditional: boolean }>(
    CONCERNED,
    given.map((ids) => ids ?? null),
  );
  if (rules.length === 0) return { given: 0, closed: 0 };
  const counts = await reconcile(
    work,
    rules.filter((rule) => !rule.conditional),
  );
  for (const rule of rules.filter((candidate) => candidate.conditional)) await settleRuleGrants(work, { ruleId: rule.id, now: ctx.now() });
  return counts;
}

async function reconcile(work: Work, rules: readonly { id: string; name: string }[]): Promise<{ given: number; closed: number }> {
  if (rules.length === 0) return { given: 0, closed: 0 };
  const now = work.ctx.now();
  const ids = rules.map((rule) => rule.id);
  const nameOf = new Map(rules.map((rule) => [rule.id, rule.name]));
  const wanted = await query<Wanted>(work.sql, WANTED, [ids, now]);
  const standing = await query<Pick<Wanted, "rule_id" | "version" | "role_id" | "group_id" | "unit_id"> & { grant_id: string }>(
    work.sql,
    STANDING,
    [ids, now],
  );
  const key = (row: Pick<Wanted, "rule_id" | "version" | "role_id" | "group_id" | "unit_id">) =>
    [row.rule_id, row.version, row.role_id, row.group_id, row.unit_id].join(" ");
  const wantedKeys = new Set(wanted.map(key));
  const standingKeys = new Set(standing.map(key));
  let closed = 0;
  for (const rule of rules) {
    const over = standing.filter((row) => row.rule_id === rule.id && !wantedKeys.has(key(row))).map((row) => row.grant_id);
    closed += await closeGrants(work, { grantIds: over, reason: `the rule ${rule.name} does not give it any more` });
  }
  const fresh = wanted.filter((row) => !standingKeys.has(key(row)));
  await openGrants(
    work,
    fresh.map((row) => ({
      grantId: randomUUID(),
      personId: null,
      groupId: row.group_id,
      roleId: row.role_id,
      unitId: row.unit_id,
      source: "rule" as const,
      ruleId: row.rule_id,
      ruleVersion: row.version,
      expiresAfterSeconds: row.seconds,
      reason: `the rule ${nameOf.get(row.rule_id)}`,
      validFrom: row.starts_at && row.starts_at > now ? row.starts_at : now,
      validTo: row.expires_at,
    })),
  );
  return { given: fresh.length, closed };
}

async function query<Row extends object>(sql: Sql, text: string, parameters: unknown[]): Promise<Row[]> {
  const { rows } = await sql.query<Row>(text, parameters);
  return rows;
}
