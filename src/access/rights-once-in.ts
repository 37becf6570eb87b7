import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import { AppError } from "../errors.ts";
import { personVariables, type PersonFacts } from "../expressions/environment.ts";
import { comingRights, type ComingRight } from "./coming-rights.ts";
import { loadPersonFacts } from "./facts.ts";
import { ASKS_ROLES } from "./rules-on-roles.ts";
import { permissionsOf } from "./roles.ts";
import { storedCondition } from "./stored-conditions.ts";

interface WaitingRule {
  /** Of the rule. */
  name: string;
  condition: string;
  roleId: string;
  role: string;
  roleName: string;
  path: string;
  asksRoles: boolean;
}

const WAITING = `
  select r.name, r.condition, r.role_id as "roleId", roles.key as role, roles.name as "roleName", u.path::text, ${ASKS_ROLES("r")} as "asksRoles"
  from rules r join roles on roles.id = r.role_id and roles.deleted_at is null join units u on u.code = r.unit_code and u.deleted_at is null
  where r.condition is not null and r.enabled and r.deleted_at is null and (r.expires_at is null or r.expires_at > $1)`;

/** SQL of whether somebody is away, for a while or not yet here. `person` is the alias of `people`, `at` SQL of the instant. */
export const isAway = ({ person, at }: { person: string; at: string }) =>
  `(${person}.state not in ('active', 'deleted') or ${person}.state = 'active' and not (${withinOwnTime({ person: `${person}.id`, at })}))`;

/**
 * What somebody holds or will hold by what was decided already, and what rules give them on the day they are let in: who is away does
 * not match while that lasts, so that nothing of it stands anywhere yet.
 */
export async function rightsOnceIn(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<ComingRight[]> {
  const rights = await comingRights(sql, { personId, at });
  for (const { roleId, path } of await rolesOnceIn(sql, { personIds: [personId], at }))
    for (const permission of await permissionsOf(sql, roleId)) rights.push({ permission, path, until: null });
  return rights;
}

export interface RoleOnceIn {
  personId: string;
  roleId: string;
  roleName: string;
  /** Of the unit on which it is given. */
  path: string;
}

/** What rules give those of these people who are away, on the day they are let in. */
export async function rolesOnceIn(sql: Sql, { personIds, at }: { personIds: readonly string[]; at: Date }): Promise<RoleOnceIn[]> {
  if (personIds.length === 0) return [];
  const { rows: rules } = await sql.query<WaitingRule>(WAITING, [at]);
  if (rules.length === 0) return [];
  const { rows: away } = await sql.query<{ id: string }>(
    `select p.id from people p where p.id = any($1::uuid[]) and ${isAway({ person: "p", at: "$2::timestamptz" })}`,
    [personIds, at],
  );
  const people = await loadPersonFacts(sql, { personIds: away.map(({ id }) => id), at, rolesForRules: {} });
  return people.flatMap((person) =>
    matching(rules, person).map(({ roleId, roleName, path }) => ({ personId: person.id, roleId, roleName, path })),
  );
}

/** Pure. What rules give that ask for roles counts for none of them, as where they are carried out. */
function matching(rules: readonly WaitingRule[], person: PersonFacts): WaitingRule[] {
  const here = { ...person, active: true, state: "active" };
  const first = rules.filter((rule) => !rule.asksRoles && isMatch(rule, here));
  const roles = [...(person.roles ?? []), ...first.map(({ role }) => role)];
  return [...first, ...rules.filter((rule) => rule.asksRoles && isMatch(rule, { ...here, roles }))];
}

/** What can't be evaluated gives nothing. */
function isMatch(rule: WaitingRule, person: PersonFacts): boolean {
  const { matches } = storedCondition(rule);
  try {
    return matches?.(personVariables(person)) === true;
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid") return false;
    throw error;
  }
}
