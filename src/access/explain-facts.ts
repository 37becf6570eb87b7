/** What a question about one person, one permission and one unit is answered from: plain data, as it was or was believed at one instant. */
export interface ExplainFacts {
  at: Date;
  permission: string;
  person: {
    /** The lifecycle state that counted; null before the person was known. */
    state: string | null;
    /** Each keeps the person from everything. */
    blocks: readonly Obstacle[];
  };
  /** The unit and all above it, from itself upwards; empty when it was not there or was deleted. */
  unitPath: readonly NamedUnit[];
  /** Every stretch of membership that the person ever had or will have, with the records that say so. */
  memberships: readonly MembershipFact[];
  /** Nestings in effect above the groups that the person is in. */
  nestings: readonly NestingFact[];
  groups: ReadonlyMap<string, string>;
  /** Of the person and of those groups, of whatever role, unit and time. */
  grants: readonly GrantFact[];
  /** The roles that hold the permission, themselves or by inheritance, and those that the grants name. */
  roles: ReadonlyMap<string, RoleFact>;
}

export interface Obstacle {
  kind: "state" | "block" | "expired" | "not_employed";
  /** Whose block, which state: `admin`, `suspended`. */
  what: string;
  connection: string | null;
  reason: string;
  since: Date | null;
  /** When it ends by itself; null = never, as things stand. */
  until: Date | null;
}

export interface NamedUnit {
  id: string;
  name: string;
  code: string | null;
}

/** The record that a fact came by. */
export interface SourceRecord {
  /** Null: it was made here. */
  connection: string | null;
  accountId: number | null;
  nativeId: string | null;
}

export interface MembershipFact {
  groupId: string;
  from: Date;
  to: Date | null;
  sources: SourceRecord[];
}

export interface NestingFact {
  childId: string;
  parentId: string;
  connection: string | null;
}

export interface GrantFact {
  grantId: string;
  /** Null: the person's own. */
  groupId: string | null;
  roleId: string;
  unit: NamedUnit;
  source: string;
  reason: string;
  rule: RuleFact | null;
  /** From the beginning of each membership; for grants to groups. */
  expiresAfterSeconds: number | null;
  from: Date;
  to: Date | null;
}

export interface RuleFact {
  id: string;
  name: string;
  group: string | null;
  condition: string | null;
}

export interface RoleFact {
  id: string;
  key: string;
  name: string;
  /** Its content can't be changed here. */
  predefined: boolean;
  deleted: boolean;
  /** Holds the permission itself. */
  holds: boolean;
  /** The roles that it inherits, of those by which it comes to the permission. */
  parentIds: readonly string[];
}

/** Whether a period [from, to) holds an instant. */
export function holdsAt({ from, to }: { from: Date; to: Date | null }, at: Date): boolean {
  return from <= at && (to === null || to > at);
}
