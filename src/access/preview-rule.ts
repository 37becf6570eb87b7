import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { speaksOf } from "../expressions/speaks-of.ts";
import { conditionCandidates } from "./condition-candidates.ts";
import { fulfils } from "./condition-rules.ts";
import { loadPersonFacts } from "./facts.ts";
import { loadMembers } from "./preview-load.ts";
import { findRole } from "./roles.ts";
import { compileCondition, type RuleDefinition } from "./rule-input.ts";

/** People whose facts are held at once. */
const PAGE = 5000;

/** What saving a rule would do: whose grants by it would end, who would get what. */
export interface SimulatedRule {
  /** Null for a name that no rule has yet. */
  ruleId: string | null;
  /** Nothing differs from what is saved: no grant is made anew. */
  unchanged: boolean;
  gives: { roleId: string; unitId: string } | null;
  /** Whom it would give that at the instant that was asked for. */
  to: ReadonlySet<string>;
}

const SAVED = `
  select r.id, r.deleted_at is null and (r.group_name, c.name, r.condition, r.role_id, r.unit_code, r.starts_at, r.expires_at, r.expires_after_seconds, r.enabled)
    is not distinct from ($2::citext, $3::text, $4::text, $5::uuid, $6::citext, $7::timestamptz, $8::timestamptz, $9::int, $10::boolean) as unchanged
  from rules r left join connections c on c.id = r.connection_id where r.name = $1`;

/** Says what saving would do without writing anything, by the same conditions and periods as carrying it out. Throws `not_found` for a role or connection that is not there. */
export async function simulateRule({ ctx, sql }: Work, { rule, at }: { rule: RuleDefinition; at: Date }): Promise<SimulatedRule> {
  const role = await findRole(sql, rule.role);
  await requireConnection(sql, rule.connection);
  const { rows: saved } = await sql.query<{ id: string; unchanged: boolean }>(SAVED, [
    rule.name,
    rule.group ?? null,
    rule.connection ?? null,
    rule.condition ?? null,
    role.id,
    rule.unit,
    rule.startsAt ?? null,
    rule.expiresAt ?? null,
    rule.expiresAfterSeconds ?? null,
    rule.enabled,
  ]);
  const { rows: units } = await sql.query<{ id: string }>("select id from units where code = $1::citext and deleted_at is null", [
    rule.unit,
  ]);
  const known = { ruleId: saved[0]?.id ?? null, unchanged: saved[0]?.unchanged ?? false };
  const gives = units[0] ? { roleId: role.id, unitId: units[0].id } : null;
  const inTime = (!rule.startsAt || rule.startsAt <= at) && (!rule.expiresAt || rule.expiresAt > at);
  if (known.unchanged || !gives || !rule.enabled || !inTime) return { ...known, gives, to: new Set() };
  const since =
    rule.condition === undefined
      ? await membersNamed(sql, { rule, at })
      : await matching({ ctx, sql }, { rule, condition: rule.condition, ruleId: known.ruleId });
  const lasts = rule.expiresAfterSeconds;
  const to = [...since]
    .filter(([, from]) => lasts === undefined || from.getTime() + lasts * 1000 > at.getTime())
    .map(([personId]) => personId);
  return { ...known, gives, to: new Set(to) };
}

async function requireConnection(sql: Sql, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  const { rows } = await sql.query("select from connections where name = $1", [name]);
  if (rows.length === 0) throw new AppError("not_found", `There is no connection named ${name}.`, { field: "connection" });
}

async function membersNamed(sql: Sql, { rule, at }: { rule: RuleDefinition; at: Date }): Promise<Map<string, Date>> {
  const { rows } = await sql.query<{ id: string }>(
    "select g.id from groups g left join connections c on c.id = g.origin_id where g.display_name = $1::citext and g.deleted_at is null and ($2::text is null or c.name = $2)",
    [rule.group, rule.connection ?? null],
  );
  return loadMembers(sql, { groupIds: rows.map(({ id }) => id), at });
}

/** Who matches now, and since when: a match that there is already keeps its beginning. */
async function matching(
  { ctx, sql }: Work,
  { rule, condition, ruleId }: { rule: RuleDefinition; condition: string; ruleId: string | null },
): Promise<Map<string, Date>> {
  const now = ctx.now();
  const compiled = { id: ruleId ?? "", name: rule.name, condition, matches: compileCondition(condition, "rule.condition") };
  const { rows: known } = await sql.query<{ personId: string; since: Date }>(
    'select person_id as "personId", valid_from as since from rule_matches where rule_id = $1 and recorded_to is null and valid_to is null',
    [ruleId],
  );
  const sinceWhen = new Map(known.map(({ personId, since }) => [personId, since]));
  const { fields, implied } = speaksOf({ source: condition, subject: "person" });
  const candidates = await conditionCandidates(sql, { implied, at: now });
  const matches = new Map<string, Date>();
  for (let start = 0; start < candidates.length; start += PAGE) {
    ctx.signal.throwIfAborted();
    const facts = await loadPersonFacts(sql, {
      personIds: candidates.slice(start, start + PAGE),
      at: now,
      fields,
      rolesForRules: { besides: ruleId },
    });
    for (const person of facts) if (fulfils({ ctx }, { rule: compiled, person })) matches.set(person.id, sinceWhen.get(person.id) ?? now);
  }
  return matches;
}
