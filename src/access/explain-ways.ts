import { holdsAt, type ExplainFacts, type GrantFact, type MembershipFact, type NestingFact } from "./explain-facts.ts";

/** One way by which a person comes to a permission on a unit. */
export interface Way {
  /** Null when the grant is the person's own. */
  membership: MembershipFact | null;
  /** From the group that the person is in up to the one that holds the grant; empty when they are the same. */
  nestings: readonly NestingFact[];
  grant: GrantFact;
  /** From the role that was granted to the one that holds the permission. */
  roleIds: readonly string[];
  /** From the unit that was granted down to the one that was asked for. */
  unitIds: readonly string[];
  /** When this way ends by itself; null = never. */
  endsAt: Date | null;
}

/** The ways, of each membership and grant the shortest; whether the person is blocked is another question. Pure. */
export function waysOf(facts: ExplainFacts): Way[] {
  const { at, unitPath } = facts;
  const reached = [{ membership: null, groups: new Map<string | null, readonly NestingFact[]>([[null, []]]) }, ...reachedGroups(facts)];
  return facts.grants.flatMap((grant) => {
    const place = unitPath.findIndex(({ id }) => id === grant.unit.id);
    const roleIds = place < 0 || !holdsAt(grant, at) ? undefined : rolePath(facts, grant.roleId);
    if (!roleIds) return [];
    const unitIds = unitPath
      .slice(0, place + 1)
      .map(({ id }) => id)
      .reverse();
    return reached.flatMap(({ membership, groups }) => {
      const nestings = groups.get(grant.groupId);
      const endsAt = endOf(grant, membership);
      if (!nestings || (endsAt !== null && endsAt <= at)) return [];
      return { membership, nestings, grant, roleIds, unitIds, endsAt };
    });
  });
}

/** When what a grant gives a member ends: with the grant, or when the member's time is over. */
export function endOf({ to, expiresAfterSeconds }: GrantFact, membership: MembershipFact | null): Date | null {
  if (membership === null || expiresAfterSeconds === null) return to;
  const own = new Date(membership.from.getTime() + expiresAfterSeconds * 1000);
  return to === null || own < to ? own : to;
}

/** Which groups each membership leads to, by the shortest nestings. */
export function reachedGroups({ at, memberships, nestings }: Pick<ExplainFacts, "at" | "memberships" | "nestings">): {
  membership: MembershipFact;
  groups: Map<string | null, readonly NestingFact[]>;
}[] {
  return memberships
    .filter((membership) => holdsAt(membership, at))
    .map((membership) => {
      const groups = new Map<string | null, readonly NestingFact[]>([[membership.groupId, []]]);
      // A map is walked in the order of insertion, what is added on the way included: nearest first.
      for (const [groupId, path] of groups)
        for (const nesting of nestings)
          if (nesting.childId === groupId && !groups.has(nesting.parentId)) groups.set(nesting.parentId, [...path, nesting]);
      return { membership, groups };
    });
}

/** The shortest chain of roles from a granted one to one that holds the permission; undefined when there is none. */
export function rolePath({ roles }: Pick<ExplainFacts, "roles">, roleId: string): string[] | undefined {
  if (roles.get(roleId)?.deleted !== false) return undefined;
  const paths = new Map([[roleId, [roleId]]]);
  for (const [id, path] of paths) {
    const role = roles.get(id);
    if (role?.holds) return path;
    for (const parentId of role?.parentIds ?? []) if (!paths.has(parentId)) paths.set(parentId, [...path, parentId]);
  }
  return undefined;
}
