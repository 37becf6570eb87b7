import type { AttributeObject } from "../../connectors/contract.ts";
import { loadPersonFacts } from "../access/facts.ts";
import { administrators, FOR_GOOD, waysToSteer } from "../access/last-administrator.ts";
import { storedCondition } from "../access/stored-conditions.ts";
import type { Sql } from "../db/database.ts";
import { personVariables } from "../expressions/environment.ts";

export interface PlanOfConnection {
  planId: number;
  connectionId: number;
  now: Date;
}

/**
 * Whether the plan may leave the organisation without anybody who steers it, now or for good: whether it touches each of its
 * administrators in what their rights come from. Errs towards yes where conditions of rules ask for units, groups or managers that change.
 */
export async function mayLeaveNoAdministrator(sql: Sql, plan: PlanOfConnection): Promise<boolean> {
  for (const at of [plan.now, FOR_GOOD]) {
    let steered = false;
    let kept = false;
    for await (const personId of administrators(sql, { at })) {
      steered = true;
      kept = await isKept(sql, { ...plan, personId, at });
      if (kept) break;
    }
    if (steered && !kept) return true;
  }
  return false;
}

interface OneOfThem extends PlanOfConnection {
  personId: string;
  at: Date;
}

/** Whether the plan leaves this administrator here, and one of the ways by which they steer as it is. */
async function isKept(sql: Sql, { personId, at, ...plan }: OneOfThem): Promise<boolean> {
  const touch = await touchOf(sql, { ...plan, personId });
  if (touch.leaves) return false;
  for (const { groupId, memberGroupId, ruleId, grantedUnitId } of await waysToSteer(sql, { personId, at })) {
    if (touch.units.has(grantedUnitId)) continue;
    if (groupId === null) {
      if (ruleId === null || (await stillFulfils(sql, { ruleId, personId, now: plan.now, touch }))) return true;
      continue;
    }
    if (touch.left.has(memberGroupId ?? "") || touch.groups.has(groupId) || touch.groups.has(memberGroupId ?? "")) continue;
    if (groupId === memberGroupId || !touch.unnests) return true;
  }
  return false;
}

const ASKS_PLACES = /\b(units|groups|roles)\b/;
const ASKS_MANAGER = /\bmanager\b/;

/** Whether the rule's condition holds for what the person will be. What the plan changes besides the profile counts as no. */
async function stillFulfils(
  sql: Sql,
  { ruleId, personId, now, touch }: { ruleId: string; personId: string; now: Date; touch: Touch },
): Promise<boolean> {
  if (!touch.moves && touch.person === null) return true;
  const { rows } = await sql.query<{ name: string; condition: string }>("select name, condition from rules where id = $1", [ruleId]);
  const [rule] = rows;
  const [facts] = await loadPersonFacts(sql, { personIds: [personId], at: now, rolesForRules: {} });
  if (!rule || !facts) return false;
  if (touch.moves && ASKS_PLACES.test(rule.condition)) return false;
  if (touch.person === null) return true;
  if (touch.person.changed.includes("manager") && ASKS_MANAGER.test(rule.condition)) return false;
  const { attributes, custom } = touch.person;
  const { matches } = storedCondition(rule);
  // Such a rule keeps whom it has.
  if (!matches) return true;
  try {
    return matches(personVariables({ ...facts, attributes, custom })) === true;
  } catch {
    // Somebody for whom a condition can't be evaluated does not match.
    return false;
  }
}

interface Touch {
  /** The person is disabled or deleted. */
  leaves: boolean;
  /** What the person will be; null when the profile stays. */
  person: { attributes: AttributeObject; custom: AttributeObject; changed: readonly string[] } | null;
  /** The person's units or groups change, which conditions may ask. */
  moves: boolean;
  /** Groups that the person leaves. */
  left: ReadonlySet<string>;
  /** Groups that go. */
  groups: ReadonlySet<string>;
  /** Some group leaves another. */
  unnests: boolean;
  /** Units that go, or are not an organisation at the top any more. */
  units: ReadonlySet<string>;
}

const TOUCH = `
  with own as (select action, payload, person_attributes from plan_items where plan_id = $1 and kind = 'user' and subject_id = $3),
  member_changes as (
    select m.op, g.group_id, a.kind
    from plan_members m join accounts g on g.connection_id = $2 and g.kind = 'group' and g.native_id = m.group_native_id join accounts a on a.id = m.account_id
    where m.plan_id = $1 and (a.kind = 'group' or a.person_id = $3))
  select
    exists (select from own where action in ('disable', 'delete') or payload ? 'disables') as leaves,
    (select jsonb_build_object('attributes', person_attributes::jsonb, 'custom', coalesce(payload->'person'->'custom', '{}'), 'changed', coalesce(payload->'person'->'changed', '[]'))
      from own where payload ? 'person' and person_attributes is not null limit 1) as person,
    exists (select from own where payload ? 'units') or exists (select from member_changes where kind = 'user') as moves,
    array(select distinct group_id::text from member_changes where kind = 'user' and op = 'remove' and group_id is not null) as "left",
    array(select subject_id::text from plan_items where plan_id = $1 and kind = 'group' and action in ('delete', 'gone') and subject_id is not null) as groups,
    exists (select from member_changes where kind = 'group' and op = 'remove') as unnests,
    array(select i.subject_id::text from plan_items i join units u on u.id = i.subject_id where i.plan_id = $1 and i.kind = 'unit' and u.parent_id is null
      and (i.action in ('delete', 'gone') or i.payload->'unit'->>'parent' is not null or i.payload->'unit'->>'type' is distinct from 'organization')) as units`;

async function touchOf(sql: Sql, { planId, connectionId, personId }: PlanOfConnection & { personId: string }): Promise<Touch> {
  const { rows } = await sql.query<Pick<Touch, "leaves" | "moves" | "unnests" | "person"> & Record<"left" | "groups" | "units", string[]>>(
    TOUCH,
    [planId, connectionId, personId],
  );
  const [row] = rows;
  if (!row) throw new Error("a select without a from returned no row");
  return { ...row, left: new Set(row.left), groups: new Set(row.groups), units: new Set(row.units) };
}
