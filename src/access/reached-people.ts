import type { Condition, Reach } from "./policy.ts";

/**
 * The ids of the people in reach, as a query, for reaches that are small: undefined for whoever reaches everything, or people without a
 * unit. The parameters are numbered on from `from`. It says the same as reachedPeople.
 */
export function reachedPeopleIds(reach: Reach, { from }: { from: number }): Condition | undefined {
  if (reach.everything || reach.organisation) return undefined;
  const [paths, self, teamOf] = [`$${from}::ltree[]`, `$${from + 1}::uuid`, `$${from + 2}::uuid`];
  return {
    text: `select pu.person_id as id from units u join person_units pu on pu.unit_id = u.id and pu.recorded_to is null and pu.valid_to is null where u.path operator(public.<@) any(${paths})
      union all select ${self} where ${self} is not null
      union all (with recursive team (id) as (select id from people where manager_id = ${teamOf} and id <> ${teamOf}
        union select below.id from people below join team on below.manager_id = team.id) select id from team)`,
    values: [reach.paths, reach.self, reach.teamOf],
  };
}
