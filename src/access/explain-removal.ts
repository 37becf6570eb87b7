import { holdsAt, type ExplainFacts, type GrantFact } from "./explain-facts.ts";
import { endOf, reachedGroups, rolePath } from "./explain-ways.ts";
import { removalSets, type Step } from "./removal.ts";

/** Something that can be taken away. A grant that a rule makes would come back: there it is the rule. */
export type Removable =
  | { kind: "membership"; groupId: string }
  | { kind: "nesting"; childId: string; parentId: string }
  | { kind: "grant"; grantId: string }
  | { kind: "rule"; ruleId: string }
  /** The role no longer inherits the other one. */
  | { kind: "inheritance"; roleId: string; parentId: string }
  /** The role no longer holds the permission. */
  | { kind: "content"; roleId: string };

const START = "person";
const END = "permission";

/** What would have to go for the permission to end: minimal sets, smallest first. Pure. */
export function removalsOf(facts: ExplainFacts): { sets: Removable[][]; complete: boolean } {
  const things = new Map<string, Removable>();
  const named = (thing: Removable): string => {
    const key = JSON.stringify(thing);
    things.set(key, thing);
    return key;
  };
  const { sets, complete } = removalSets([...groupSteps(facts, named), ...roleSteps(facts, named)], { start: START, end: END });
  return { sets: sets.map((set) => set.flatMap((key) => things.get(key) ?? [])), complete };
}

type Name = (thing: Removable) => string;

/** From the person to the roles that are granted. A group is a node for each membership that leads there: their times differ. */
function groupSteps(facts: ExplainFacts, named: Name): Step[] {
  const { at, nestings } = facts;
  const granting = facts.grants.filter((grant) => gives(facts, grant));
  const own = granting
    .filter(({ groupId }) => groupId === null)
    .map((grant) => ({ from: START, to: roleNode(grant.roleId), element: named(grantOf(grant)) }));
  const byMembership = reachedGroups(facts).flatMap(({ membership, groups }) => {
    const node = (groupId: string) => `group ${membership.groupId} ${groupId}`;
    const timely = granting.filter((grant) => {
      const end = endOf(grant, membership);
      return grant.groupId !== null && groups.has(grant.groupId) && (end === null || end > at);
    });
    return [
      { from: START, to: node(membership.groupId), element: named({ kind: "membership", groupId: membership.groupId }) },
      ...nestings
        .filter(({ childId }) => groups.has(childId))
        .map(({ childId, parentId }) => ({
          from: node(childId),
          to: node(parentId),
          element: named({ kind: "nesting", childId, parentId }),
        })),
      ...timely.map((grant) => ({ from: node(grant.groupId ?? ""), to: roleNode(grant.roleId), element: named(grantOf(grant)) })),
    ];
  });
  return [...own, ...byMembership];
}

function roleSteps({ roles }: ExplainFacts, named: Name): Step[] {
  return [...roles.values()].flatMap((role) => {
    const removable = (thing: Removable) => (role.predefined ? null : named(thing));
    return [
      ...role.parentIds.map((parentId) => ({
        from: roleNode(role.id),
        to: roleNode(parentId),
        element: removable({ kind: "inheritance", roleId: role.id, parentId }),
      })),
      ...(role.holds ? [{ from: roleNode(role.id), to: END, element: removable({ kind: "content", roleId: role.id }) }] : []),
    ];
  });
}

function gives(facts: ExplainFacts, grant: GrantFact): boolean {
  return holdsAt(grant, facts.at) && facts.unitPath.some(({ id }) => id === grant.unit.id) && rolePath(facts, grant.roleId) !== undefined;
}

const roleNode = (roleId: string) => `role ${roleId}`;

function grantOf({ grantId, rule }: GrantFact): Removable {
  return rule ? { kind: "rule", ruleId: rule.id } : { kind: "grant", grantId };
}
