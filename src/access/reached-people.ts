import type { Condition, Reach } from "./policy.ts";

const OPEN = "pu.recorded_to is null and pu.valid_to is null";

const teamOf = (manager: string) => `with recursive team (id) as (select id from people where manager_id = ${manager} and id <> ${manager}
      union select below.id from people below join team on below.manager_id = team.id) select id from team`;

/**
 * The ids of the people in reach, as a query, for reaches that are small: undefined for whoever reaches everything, or people without a
 * unit. The parameters are numbered on from `from`. It says the same as reachedPeople.
 */
export function reachedPeopleIds(reach: Reach, { from }: { from: number }): Condition | undefined {
  if (reach.everything || reach.organisation) return undefined;
  const [paths, self, manager] = [`$${from}::ltree[]`, `$${from + 1}::uuid`, `$${from + 2}::uuid`];
  return {
    text: `select pu.person_id as id from units u join person_units pu on pu.unit_id = u.id and ${OPEN} where u.path operator(public.<@) any(${paths})
      union all select ${self} where ${self} is not null
      union all (${teamOf(manager)})`,
    values: [reach.paths, reach.self, reach.teamOf],
  };
}

/** From a person upwards, which costs what the chain is long and not what a team is large. */
const reportsTo = (
  manager: string,
) => `(with recursive above (id) as (select p.manager_id union select m.manager_id from above join people m on m.id = above.id where m.manager_id is not null)
    select true from above where above.id = ${manager} limit 1)`;

export interface ListedPeople extends Condition {
  /** The same people as a query of their ids over the same parameters, where reachedPeopleIds has one. */
  ids?: string;
}

/**
 * What reachedPeople says, for lists that end after a page: asked of one person after the other, because gathering everybody in
 * reach costs more than a page does. The alias of `people` is `p`, the parameters are numbered on from `from`.
 */
export function listedPeople(reach: Reach, { from }: { from: number }): ListedPeople {
  if (reach.everything) return { text: "true", values: [] };
  // The limit keeps the planner from turning the question round, and "is true" to the units gathered once for all.
  const some = (rest: string) => `(select true from person_units pu where pu.person_id = p.id and ${OPEN}${rest} limit 1)`;
  const covered = ` and (pu.unit_id in (select u.id from units u where u.path operator(public.<@) any($${from}::ltree[]))) is true`;
  const ways = [
    // Asked once a statement: whoever reaches every tree, and people without a unit, reaches everybody.
    ...(reach.organisation
      ? [
          `(select not exists (select from units top where top.parent_id is null and not top.path operator(public.<@) any($${from}::ltree[])))`,
        ]
      : []),
    `${some(covered)} is not null`,
    ...(reach.organisation ? [`${some("")} is null`] : []),
    `p.id = $${from + 1}::uuid`,
    // Whether they have a team at all is asked once, too.
    ...(reach.teamOf === null
      ? []
      : [
          `((select exists (select from people where manager_id = $${from + 2}::uuid)) and ${reportsTo(`$${from + 2}::uuid`)} is not null)`,
        ]),
  ];
  const ids = reachedPeopleIds(reach, { from })?.text;
  return { text: `(${ways.join(" or ")})`, values: [reach.paths, reach.self, reach.teamOf], ...(ids === undefined ? {} : { ids }) };
}
