import type { AttributeObject } from "../../connectors/contract.ts";
import { loadPersonFacts } from "../access/facts.ts";
import { storedCondition } from "../access/stored-conditions.ts";
import type { Sql } from "../db/database.ts";
import type { Expression } from "../expressions/compile.ts";
import { personVariables, type PersonFacts } from "../expressions/environment.ts";
import { speaksOf } from "../expressions/speaks-of.ts";
import type { PlanOfConnection } from "./guard-administrator.ts";
import { recentlyLost, type LostFacts } from "./guard-members.ts";
import { COUNTED_ACTION } from "./records.ts";

const AT_ONCE = 1000;

/**
 * Counts what rules give to people who stay, and that the plan ends because their condition doesn't hold any more for the profile or the units
 * that it gives them. Of what else conditions ask, managers and groups, nothing is foreseen: that counts as it is.
 */
export async function ruleFacts(sql: Sql, { planId, connectionId, hours, now }: PlanOfConnection & { hours: number }): Promise<LostFacts> {
  const rules = await loadConditions(sql);
  let lost = 0;
  const units = (rules.fields?.has("units") ?? true) ? await plannedUnits(sql, planId) : undefined;
  for (let after = 0; rules.conditions.size > 0;) {
    const changing = await changingPeople(sql, { planId, connectionId, after, units });
    const last = changing.at(-1);
    if (!last) break;
    after = last.seq + 1;
    lost += await lostBy(sql, { rules, changing, now });
  }
  if (lost === 0) return { lost, recent: 0, known: 0 };
  const { rows } = await sql.query<{ known: number }>(
    `select count(*)::int as known from rule_matches m where m.recorded_to is null and m.valid_to is null and m.rule_id = any($2::uuid[])
       and exists (select from accounts a where a.person_id = m.person_id and a.connection_id = $1 and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null)`,
    [connectionId, [...rules.conditions.keys()]],
  );
  return { lost, recent: await recentlyLost(sql, { connectionId, action: "match", hours, now }), known: rows[0]?.known ?? 0 };
}

interface Conditions {
  conditions: ReadonlyMap<string, Expression>;
  /** What they ask for together; undefined when one takes a person whole. */
  fields: ReadonlySet<string> | undefined;
}

/** Of the rules that are on. One that does not compile keeps whom it has. */
async function loadConditions(sql: Sql): Promise<Conditions> {
  const { rows } = await sql.query<{ id: string; name: string; condition: string }>(
    "select id, name, condition from rules where condition is not null and enabled and deleted_at is null",
  );
  const compiled = rows.flatMap((rule) => {
    const { matches } = storedCondition(rule);
    return matches ? [{ ...rule, matches, fields: speaksOf({ source: rule.condition, subject: "person" }).fields }] : [];
  });
  return {
    conditions: new Map(compiled.map(({ id, matches }) => [id, matches])),
    fields: compiled.some(({ fields }) => !fields) ? undefined : new Set(compiled.flatMap(({ fields }) => [...(fields ?? [])])),
  };
}

/** Codes or names of the units that the plan makes or changes, by reference. */
type PlannedUnits = Readonly<Record<string, string>>;

async function plannedUnits(sql: Sql, planId: number): Promise<PlannedUnits> {
  const { rows } = await sql.query<{ units: PlannedUnits }>(
    `select coalesce(jsonb_object_agg(reference, coalesce(payload->'unit'->>'code', payload->'unit'->>'name')), '{}') as units
       from plan_items where plan_id = $1 and kind = 'unit' and payload ? 'unit' and reference is not null`,
    [planId],
  );
  return rows[0]?.units ?? {};
}

interface Changing {
  seq: number;
  id: string;
  /** What stays is null. */
  attributes: AttributeObject | null;
  custom: AttributeObject | null;
  units: string[] | null;
}

const REFERENCES = "(select jsonb_array_elements_text(i.payload->'units'))";

/** Those to whom some rule gives something, with the profile and the units that the plan gives them. */
const CHANGING = `
  select i.seq, i.subject_id as id, i.person_attributes::jsonb as attributes, i.payload->'person'->'custom' as custom,
    case when $4 and i.payload ? 'units' then array(
      select coalesce(u.code::text, u.name) from units u where u.deleted_at is null and u.id in (
        select a.unit_id from accounts a where a.connection_id = $2 and a.kind = 'unit' and a.gone_at is null and a.reference in ${REFERENCES}
        union all select m.unit_id from person_units m where m.person_id = i.subject_id and m.recorded_to is null and m.valid_to is null and m.connection_id is distinct from $2)
      union all select u.code::text from units u where u.deleted_at is null and u.code in (select reference::citext from jsonb_array_elements_text(i.payload->'units') named (reference))
      union all select $5::jsonb->>reference from jsonb_array_elements_text(i.payload->'units') named (reference) where $5::jsonb ? reference) end as units
    from plan_items i
   where i.plan_id = $1 and i.kind = 'user' and i.seq >= $3 and i.subject_id is not null and i.payload ?| array['person', 'units']
     and ${COUNTED_ACTION} in ('link', 'update', 'enable')
     and exists (select from rule_matches m where m.person_id = i.subject_id and m.recorded_to is null and m.valid_to is null)
   order by i.seq limit ${AT_ONCE}`;

async function changingPeople(
  sql: Sql,
  { planId, connectionId, after, units }: { planId: number; connectionId: number; after: number; units: PlannedUnits | undefined },
): Promise<Changing[]> {
  const { rows } = await sql.query<Changing>(CHANGING, [planId, connectionId, after, units !== undefined, JSON.stringify(units ?? {})]);
  return rows;
}

async function lostBy(
  sql: Sql,
  { rules: { conditions, fields }, changing, now }: { rules: Conditions; changing: readonly Changing[]; now: Date },
): Promise<number> {
  const personIds = changing.map(({ id }) => id);
  const facts = new Map((await loadPersonFacts(sql, { personIds, at: now, fields, rolesForRules: {} })).map((each) => [each.id, each]));
  const { rows: matches } = await sql.query<{ personId: string; ruleId: string }>(
    `select person_id as "personId", rule_id as "ruleId" from rule_matches
      where person_id = any($1::uuid[]) and rule_id = any($2::uuid[]) and recorded_to is null and valid_to is null`,
    [personIds, [...conditions.keys()]],
  );
  const people = new Map(changing.map((change) => [change.id, personAfter(change, facts.get(change.id))]));
  return matches.filter(({ personId, ruleId }) => !holds(conditions.get(ruleId), people.get(personId))).length;
}

function personAfter({ attributes, custom, units }: Changing, before: PersonFacts | undefined): PersonFacts | undefined {
  return before && { ...before, ...(attributes ? { attributes, custom: custom ?? {} } : {}), ...(units ? { units } : {}) };
}

function holds(condition: Expression | undefined, person: PersonFacts | undefined): boolean {
  if (!condition || !person) return true;
  try {
    return condition(personVariables(person)) === true;
  } catch {
    // Somebody for whom a condition can't be evaluated does not match.
    return false;
  }
}
