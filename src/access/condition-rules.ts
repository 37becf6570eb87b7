import { randomUUID } from "node:crypto";
import type { Work } from "../db/database.ts";
import { closePeriods } from "../directory/periods.ts";
import { messageOf } from "../errors.ts";
import type { Expression } from "../expressions/compile.ts";
import { personVariables, type PersonFacts } from "../expressions/environment.ts";
import { speaksOf } from "../expressions/speaks-of.ts";
import { loadPersonFacts } from "./facts.ts";
import { closeGrants, openGrants } from "./grant-rows.ts";
import { lockRules } from "./rule-lock.ts";
import { storedCondition } from "./stored-conditions.ts";

const PAGE = 2000;

export interface ConditionRule {
  id: string;
  name: string;
  condition: string;
}

export interface CompiledRule extends ConditionRule {
  matches: Expression;
}

/** Of a condition that does not compile, `matches` is undefined. */
type StoredRule = CompiledRule | (ConditionRule & { matches: undefined });

const isCompiled = (rule: StoredRule): rule is CompiledRule => rule.matches !== undefined;

/**
 * Evaluates all condition rules for these people and makes their grants follow (M3): to be called with everybody whose attributes,
 * state, units or groups changed. One query when there are no condition rules. A person for whom a condition can't be evaluated does
 * not match; that is logged, and stops nobody else. Nor does a rule whose condition does not compile: it keeps whoever is here and
 * matched before, and nobody comes to it, because a mistake of a server must not take everybody's access away at once.
 */
export async function evaluateConditionRules(
  work: Work,
  { personIds }: { personIds: readonly string[] },
): Promise<{ begun: number; ended: number }> {
  if (personIds.length === 0) return { begun: 0, ended: 0 };
  await lockRules(work.sql, "shared");
  const rules = await conditionRules(work);
  if (rules.length === 0) return { begun: 0, ended: 0 };
  const counts = { begun: 0, ended: 0 };
  const unique = [...new Set(personIds)];
  for (let start = 0; start < unique.length; start += PAGE) {
    const page = await evaluatePage(work, { rules, personIds: unique.slice(start, start + PAGE) });
    counts.begun += page.begun;
    counts.ended += page.ended;
  }
  return counts;
}

/** Evaluates one rule for everybody, in pages; for a rule that was saved. A rule that is off or gone ends all its matches. */
export async function evaluateRule(work: Work, { ruleId }: { ruleId: string }): Promise<{ begun: number; ended: number }> {
  const { ctx, sql } = work;
  await lockRules(sql, "shared");
  const rules = await conditionRules(work, { ruleId });
  const counts = { begun: 0, ended: 0 };
  if (rules.length === 0) {
    const { rows } = await sql.query<{ id: number }>(
      "select id from rule_matches where rule_id = $1 and recorded_to is null and valid_to is null",
      [ruleId],
    );
    await closePeriods(sql, { table: "rule_matches", ids: rows.map((row) => row.id), at: ctx.now() });
    await settleRuleGrants(work, { ruleId, now: ctx.now() });
    return { begun: 0, ended: rows.length };
  }
  let after: string | null = null;
  for (;;) {
    const { rows }: { rows: { id: string }[] } = await sql.query<{ id: string }>(
      "select id from people where state <> 'deleted' and ($1::uuid is null or id > $1) order by id limit $2",
      [after, PAGE],
    );
    if (rows.length === 0) break;
    const page = await evaluatePage(work, { rules, personIds: rows.map((row) => row.id) });
    counts.begun += page.begun;
    counts.ended += page.ended;
    after = rows.at(-1)?.id ?? null;
  }
  return counts;
}

/** Those that are on: all, or one. */
async function conditionRules({ ctx, sql }: Pick<Work, "ctx" | "sql">, { ruleId }: { ruleId?: string } = {}): Promise<StoredRule[]> {
  const { rows } = await sql.query<ConditionRule>(
    "select id, name, condition from rules where condition is not null and enabled and deleted_at is null order by name",
  );
  return rows
    .filter(({ id }) => ruleId === undefined || id === ruleId)
    .map((rule) => {
      const stored = storedCondition(rule);
      if (stored.matches === undefined)
        ctx.log.error(
          { rule: rule.name, reason: stored.problem },
          "A rule's condition does not compile: the rule gives nothing new and keeps what it gave. Write the condition anew.",
        );
      return { ...rule, matches: stored.matches };
    });
}

// Clocks of two nodes differ: a match does not begin before the one before it has ended.
const BEGIN_MATCHES = `
  insert into rule_matches (rule_id, person_id, valid_from, recorded_from)
  select b.rule_id, b.person_id, at.at, at.at from unnest($1::uuid[], $2::uuid[]) as b (rule_id, person_id)
  cross join lateral (select greatest($3::timestamptz, max(greatest(m.valid_to, m.recorded_from))) as at from rule_matches m
    where m.rule_id = b.rule_id and m.person_id = b.person_id and m.recorded_to is null) at`;

async function evaluatePage(
  work: Work,
  { rules, personIds }: { rules: readonly StoredRule[]; personIds: readonly string[] },
): Promise<{ begun: number; ended: number }> {
  const { ctx, sql } = work;
  // Two evaluations of one person at once would both begin the match.
  await sql.query("select from people where id = any($1::uuid[]) order by id for update", [personIds]);
  // Asked once nobody else evaluates them: whoever waited would decide for a moment before what is decided already.
  const now = ctx.now();
  const facts = await loadPersonFacts(sql, { personIds, at: now, fields: fieldsOf(rules), rolesForRules: {} });
  const { rows: open } = await sql.query<{ id: number; rule_id: string; person_id: string }>(
    "select id, rule_id, person_id from rule_matches where person_id = any($1::uuid[]) and rule_id = any($2::uuid[]) and recorded_to is null and valid_to is null",
    [personIds, rules.map((rule) => rule.id)],
  );
  const known = new Set(open.map((match) => `${match.rule_id} ${match.person_id}`));
  const isMatch = (rule: StoredRule, person: PersonFacts): boolean =>
    isCompiled(rule) ? fulfils(work, { rule, person }) : !hasLeft(person) && known.has(`${rule.id} ${person.id}`);
  const matching = new Set(
    facts.flatMap((person) => rules.filter((rule) => isMatch(rule, person)).map((rule) => `${rule.id} ${person.id}`)),
  );
  const ended = open.filter((match) => !matching.has(`${match.rule_id} ${match.person_id}`));
  const begun = [...matching].filter((key) => !known.has(key)).map((key) => key.split(" "));
  await closePeriods(sql, { table: "rule_matches", ids: ended.map((match) => match.id), at: now });
  if (begun.length > 0) {
    await sql.query(BEGIN_MATCHES, [begun.map(([rule]) => rule), begun.map(([, person]) => person), now]);
  }
  for (const rule of rules) await settleRuleGrants(work, { ruleId: rule.id, personIds, now });
  return { begun: begun.length, ended: ended.length };
}

/** What the conditions speak of; undefined when one of them takes a person whole. */
function fieldsOf(rules: readonly StoredRule[]): ReadonlySet<string> | undefined {
  const each = rules.filter(isCompiled).map(({ condition }) => speaksOf({ source: condition, subject: "person" }).fields);
  return each.includes(undefined) ? undefined : new Set(each.flatMap((fields) => [...(fields ?? [])]));
}

/** Whether a person matches. One for whom the condition can't be evaluated does not, which is logged; nor does somebody who has left. */
export function fulfils({ ctx }: Pick<Work, "ctx">, { rule, person }: { rule: CompiledRule; person: PersonFacts }): boolean {
  if (hasLeft(person)) return false;
  try {
    return rule.matches(personVariables(person)) === true;
  } catch (error) {
    ctx.log.warn(
      { rule: rule.name, personId: person.id, reason: messageOf(error) },
      "A rule's condition can't be evaluated for this person, who does not match.",
    );
    return false;
  }
}

function hasLeft({ state }: PersonFacts): boolean {
  return state === "deactivated" || state === "deleted";
}

// What the rule gives now beside what it has given already, of these people or of all, put next to each other by sorting: a join
// would be guessed small and be quadratic.
const MARKED = `
  with wanted as (
    select m.person_id, r.version, r.role_id, u.id as unit_id, r.name, m.valid_from as since,
      greatest(m.valid_from, r.starts_at, $3::timestamptz) as valid_from, least(r.expires_at, m.valid_from + make_interval(secs => r.expires_after_seconds)) as valid_to
    from rules r join rule_matches m on m.rule_id = r.id and m.recorded_to is null and m.valid_to is null
    join units u on u.code = r.unit_code and u.deleted_at is null
    where r.id = $1 and r.enabled and r.deleted_at is null and ($2::uuid[] is null or m.person_id = any($2))
  ), both_sides as (
    select person_id, version, role_id, unit_id, name, since, null::uuid as grant_id, valid_from, valid_to from wanted
    union all
    select g.person_id, g.rule_version, g.role_id, g.unit_id, null, null, g.grant_id, g.valid_from, g.valid_to from grants g
    where g.rule_id = $1 and g.recorded_to is null and g.person_id is not null and ($2::uuid[] is null or g.person_id = any($2))
  ), marked as (
    select *, max(since) over same as wanted_since, max(valid_from) filter (where grant_id is not null) over same as last_made
    from both_sides window same as (partition by person_id, version, role_id, unit_id)
  )`;

// Made once for a match, a version and a unit: one that has ended since is not made again.
const FRESH = `${MARKED}
  select person_id, version, role_id, unit_id, name, valid_from, valid_to from marked
  where grant_id is null and (last_made is null or last_made < since) and (valid_to is null or valid_to > valid_from)
  order by person_id`;

const OVER = `${MARKED}
  select grant_id from marked
  where grant_id is not null and (valid_to is null or valid_to > $3) and (wanted_since is null or valid_from < wanted_since)
  order by person_id, grant_id`;

/** Makes a condition rule's grants follow its matches: a grant is a function of the match's beginning and the rule's version. */
export async function settleRuleGrants(
  work: Work,
  { ruleId, personIds, now }: { ruleId: string; personIds?: readonly string[]; now: Date },
): Promise<void> {
  const { sql } = work;
  const parameters = [ruleId, personIds ?? null, now];
  const { rows: over } = await sql.query<{ grant_id: string }>(OVER, parameters);
  await closeGrants(work, { grantIds: over.map((row) => row.grant_id), reason: "its rule does not give it any more" });
  const { rows: fresh } = await sql.query<{
    person_id: string;
    version: number;
    role_id: string;
    unit_id: string;
    name: string;
    valid_from: Date;
    valid_to: Date | null;
  }>(FRESH, parameters);
  await openGrants(
    work,
    fresh.map((row) => ({
      grantId: randomUUID(),
      personId: row.person_id,
      groupId: null,
      roleId: row.role_id,
      unitId: row.unit_id,
      source: "rule" as const,
      ruleId,
      ruleVersion: row.version,
      expiresAfterSeconds: null,
      reason: `the rule ${row.name}`,
      validFrom: row.valid_from,
      validTo: row.valid_to,
    })),
  );
}
