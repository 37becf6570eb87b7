import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { evaluateRule } from "./condition-rules.ts";
import { closeGrants } from "./grant-rows.ts";
import { reconcileGroupRules } from "./group-rules.ts";
import { parseRule, parseRulesFile, type RuleDefinition, type RuleInput } from "./rule-input.ts";
import { lockRules } from "./rule-lock.ts";
import { findRole } from "./roles.ts";
import { conditionProblem, parseSavedRule, savedConditions } from "./stored-conditions.ts";

interface RuleRow {
  id: string;
  version: number;
  deleted_at: Date | null;
}

type Saved = "created" | "updated" | "unchanged";

/** Saves a new rule and carries it out at once. Throws `invalid` naming the field, `not_found` for role or connection, `conflict` for a taken name. */
export async function createRule(work: Work, input: RuleInput): Promise<string> {
  const rule = parseRule(input);
  await lockRules(work.sql, "alone");
  const known = await findRow(work.sql, rule.name);
  if (known && known.deleted_at === null) throw new AppError("conflict", `There is a rule named ${rule.name} already.`, { field: "name" });
  return (await save(work, { rule, known })).id;
}

/**
 * Replaces the rule of this name and carries it out: a new version supersedes the grants of the old one. One that doesn't compile any more
 * is switched off as it is. Throws as createRule, `not_found` for an unknown name.
 */
export async function updateRule(work: Work, input: RuleInput): Promise<void> {
  const rule = await parseSavedRule(work.sql, input);
  await lockRules(work.sql, "alone");
  await save(work, { rule, known: await findLive(work.sql, rule.name) });
}

/** Takes a rule away, with the grants that it made. Throws `not_found`. */
export async function deleteRule(work: Work, { name }: { name: string }): Promise<void> {
  const { ctx, sql } = work;
  await lockRules(sql, "alone");
  const rule = await findLive(sql, name);
  await sql.query("update rules set deleted_at = $2, modified_at = $2, version = version + 1 where id = $1", [rule.id, ctx.now()]);
  await recordEvent(work, { name: "rule.deleted", subjectType: "rule", subjectId: rule.id, data: { name } });
  await carryOut(work, rule.id);
}

/** Saves every rule of a YAML file by its name, all or none. Rules that the file does not name stay. */
export async function loadRulesFile(work: Work, yaml: string): Promise<Record<Saved, number>> {
  const rules = parseRulesFile(yaml, await savedConditions(work.sql));
  const counts = { created: 0, updated: 0, unchanged: 0 };
  await lockRules(work.sql, "alone");
  for (const rule of rules) {
    try {
      counts[(await save(work, { rule, known: await findRow(work.sql, rule.name) })).saved] += 1;
    } catch (error) {
      throw error instanceof AppError ? ofRule(rule.name, error) : error;
    }
  }
  return counts;
}

/** Of many rules, which one it is about. */
function ofRule(name: string, error: AppError): AppError {
  return new AppError(error.code, `Rule "${name}": ${error.message}`, { field: error.field, problems: error.problems, cause: error });
}

export interface RuleSummary {
  name: string;
  group: string | null;
  condition: string | null;
  role: string;
  unit: string;
  startsAt: Date | null;
  expiresAt: Date | null;
  expiresAfterSeconds: number | null;
  enabled: boolean;
  version: number;
  /** Grants that hold now or begin later. */
  grants: number;
  /** Why its condition does not compile any more: it gives nothing new then, and keeps what it gave. */
  problem: string | null;
}

export async function listRules(sql: Sql, { at }: { at: Date }): Promise<RuleSummary[]> {
  const { rows } = await sql.query<Omit<RuleSummary, "problem">>(
    `select r.name, r.group_name as "group", r.condition, roles.key as role, r.unit_code as unit, r.starts_at as "startsAt", r.expires_at as "expiresAt",
       r.expires_after_seconds as "expiresAfterSeconds", r.enabled, r.version,
       (select count(*)::int from grants g where g.rule_id = r.id and g.recorded_to is null and (g.valid_to is null or g.valid_to > $1)) as grants
     from rules r join roles on roles.id = r.role_id where r.deleted_at is null order by r.name`,
    [at],
  );
  return rows.map((rule) => ({ ...rule, problem: conditionProblem(rule) }));
}

// A rule that was deleted comes back under its name as its next version. Only a difference makes a version.
const UPSERT = `
  insert into rules as r (id, name, group_name, connection_id, condition, role_id, unit_code, starts_at, expires_at, expires_after_seconds, enabled, created_at, modified_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
  on conflict (name) do update set group_name = excluded.group_name, connection_id = excluded.connection_id, condition = excluded.condition,
    role_id = excluded.role_id, unit_code = excluded.unit_code, starts_at = excluded.starts_at, expires_at = excluded.expires_at,
    expires_after_seconds = excluded.expires_after_seconds, enabled = excluded.enabled, deleted_at = null, version = r.version + 1, modified_at = excluded.modified_at
  where (r.group_name, r.connection_id, r.condition, r.role_id, r.unit_code, r.starts_at, r.expires_at, r.expires_after_seconds, r.enabled)
    is distinct from (excluded.group_name, excluded.connection_id, excluded.condition, excluded.role_id, excluded.unit_code, excluded.starts_at, excluded.expires_at, excluded.expires_after_seconds, excluded.enabled)
    or r.deleted_at is not null
  returning id, version`;

async function save(
  work: Work,
  { rule, known }: { rule: RuleDefinition; known: RuleRow | undefined },
): Promise<{ id: string; saved: Saved }> {
  const { ctx, sql } = work;
  // Who deletes it waits, and then sees this rule; or it is gone when this goes on.
  const role = await findRole(sql, rule.role, { kept: true });
  const connectionId = rule.connection === undefined ? null : await connectionNamed(sql, rule.connection);
  const { rows } = await sql.query<{ id: string; version: number }>(UPSERT, [
    known?.id ?? randomUUID(),
    rule.name,
    rule.group ?? null,
    connectionId,
    rule.condition ?? null,
    role.id,
    rule.unit,
    rule.startsAt ?? null,
    rule.expiresAt ?? null,
    rule.expiresAfterSeconds ?? null,
    rule.enabled,
    ctx.now(),
  ]);
  const row = rows[0];
  if (!row) return { id: known?.id ?? "", saved: "unchanged" };
  if (known && known.deleted_at === null)
    await recordEvent(work, {
      name: "rule.updated",
      subjectType: "rule",
      subjectId: row.id,
      data: { name: rule.name, version: row.version },
    });
  else await recordEvent(work, { name: "rule.created", subjectType: "rule", subjectId: row.id, data: { name: rule.name } });
  await carryOut(work, row.id);
  return { id: row.id, saved: known && known.deleted_at === null ? "updated" : "created" };
}

/** Both, because a rule may have been of the other sort before. */
async function carryOut(work: Work, ruleId: string): Promise<void> {
  const { rows } = await work.sql.query<{ conditional: boolean; matched: boolean }>(
    "select condition is not null as conditional, exists (select from rule_matches where rule_id = $1 and recorded_to is null and valid_to is null) as matched from rules where id = $1",
    [ruleId],
  );
  if (rows[0]?.conditional || rows[0]?.matched) await evaluateRule(work, { ruleId });
  if (rows[0] && !rows[0].conditional) await reconcileGroupRules(work, { ruleIds: [ruleId] });
  else await closeStrayGroupGrants(work, ruleId);
}

async function closeStrayGroupGrants(work: Work, ruleId: string): Promise<void> {
  const { rows } = await work.sql.query<{ grant_id: string }>(
    "select grant_id from grants where rule_id = $1 and group_id is not null and recorded_to is null and (valid_to is null or valid_to > $2)",
    [ruleId, work.ctx.now()],
  );
  await closeGrants(work, { grantIds: rows.map((row) => row.grant_id), reason: "its rule asks for a condition now" });
}

async function findRow(sql: Sql, name: string): Promise<RuleRow | undefined> {
  const { rows } = await sql.query<RuleRow>("select id, version, deleted_at from rules where name = $1 for update", [name]);
  return rows[0];
}

async function findLive(sql: Sql, name: string): Promise<RuleRow> {
  const rule = await findRow(sql, name);
  if (!rule || rule.deleted_at !== null) throw new AppError("not_found", `There is no rule named ${name}.`, { field: "name" });
  return rule;
}

async function connectionNamed(sql: Sql, name: string): Promise<number> {
  const { rows } = await sql.query<{ id: number }>("select id from connections where name = $1", [name]);
  if (!rows[0]) throw new AppError("not_found", `There is no connection named ${name}.`, { field: "connection" });
  return rows[0].id;
}
