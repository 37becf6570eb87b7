import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import type { HeldRoleOnUnit } from "./preview-difference.ts";

export interface HeldByRule extends HeldRoleOnUnit {
  ruleId: string | null;
}

/** Reads what people hold, some thousands of them at a time. What groups give is read once for all. */
export interface Holdings {
  /**
   * What the active ones of these people hold, as roles on units; of those who hold nothing, an empty list. Equal things are the same
   * object. With `resting` what everybody of them would hold who were active.
   */
  of(personIds: readonly string[], options?: { resting?: boolean }): Promise<Map<string, readonly HeldByRule[]>>;
}

interface HoldingsOptions {
  at: Date;
  /** Only these roles; all when absent. */
  roleIds?: readonly string[] | undefined;
}

interface GroupGrant {
  groupId: string;
  held: HeldByRule;
  /** Microseconds after joining at which it ends for a member; null when it doesn't end so. */
  lasts: number | null;
}

const CURRENT = (table: string) => `${table}.recorded_to is null and ${table}.valid @> $1::timestamptz`;
const HELD = 'g.role_id as "roleId", g.unit_id as "unitId", g.rule_id as "ruleId"';
const OF_ROLES = "($2::uuid[] is null or g.role_id = any($2)) and (roles.deleted_at is null or roles.deleted_at > $1)";

const GROUP_GRANTS = `
  select distinct g.group_id as "groupId", ${HELD}, g.expires_after_seconds * 1000000::bigint as lasts
  from grants g join groups on groups.id = g.group_id and (groups.deleted_at is null or groups.deleted_at > $1) join roles on roles.id = g.role_id
  where g.group_id is not null and ${CURRENT("g")} and ${OF_ROLES}`;

const NESTINGS = `select distinct n.child_group_id as child, n.parent_group_id as parent from nestings n where ${CURRENT("n")}`;

const IN_TIME = `select p.id from people p where p.id = any($2::uuid[]) and ${withinOwnTime({ person: "p.id", at: "$1::timestamptz" })}`;

const ACTIVE = `${IN_TIME} and exists (select from lifecycle_periods l where l.person_id = p.id and l.state = 'active' and ${CURRENT("l")})`;

const OWN_GRANTS = `
  select g.person_id as "personId", ${HELD} from grants g join roles on roles.id = g.role_id
  where g.person_id = any($3::uuid[]) and ${CURRENT("g")} and ${OF_ROLES}`;

const MEMBERSHIPS = `
  select distinct m.person_id as "personId", m.group_id as "groupId", null::bigint as since from believed_memberships m
  where m.person_id = any($2::uuid[]) and m.group_id = any($3::uuid[]) and m.valid @> $1::timestamptz`;

// A span is what touching periods make together.
const MEMBERSHIPS_SINCE = `
  select spans.person_id as "personId", spans.group_id as "groupId", (extract(epoch from lower(span)) * 1000000)::bigint as since
  from (select m.person_id, m.group_id, range_agg(m.valid) as ranges from believed_memberships m
    where m.person_id = any($2::uuid[]) and m.group_id = any($3::uuid[]) group by 1, 2) spans
  cross join lateral unnest(spans.ranges) span where span @> $1::timestamptz`;

/** Everything that `of` answers is of the state of the database that `sql` sees, and of this instant. */
export async function readHoldings(sql: Sql, { at, roleIds }: HoldingsOptions): Promise<Holdings> {
  const known = createKnown();
  const { rows: given } = await sql.query<HeldByRule & { groupId: string; lasts: number | null }>(GROUP_GRANTS, [at, roleIds ?? null]);
  const { rows: nestings } = await sql.query<{ child: string; parent: string }>(NESTINGS, [at]);
  const byGroup = grantsByGroup({ grants: given.map((row) => ({ ...row, held: known(row) })), nestings });
  const [timed, lasting] = [[...byGroup].filter(hasEnds), [...byGroup].filter((each) => !hasEnds(each))].map((some) =>
    some.map(([id]) => id),
  );
  const members = async (text: string, personIds: readonly string[], groupIds: readonly string[] | undefined) => {
    if (groupIds === undefined || groupIds.length === 0) return [];
    return (await sql.query<{ personId: string; groupId: string; since: number | null }>(text, [at, personIds, groupIds])).rows;
  };
  return {
    async of(personIds, { resting = false } = {}) {
      const { rows: active } = await sql.query<{ id: string }>(resting ? IN_TIME : ACTIVE, [at, personIds]);
      const ids = active.map(({ id }) => id);
      const held = new Map(ids.map((id) => [id, new Set<HeldByRule>()]));
      const { rows: own } = await sql.query<HeldByRule & { personId: string }>(OWN_GRANTS, [at, roleIds ?? null, ids]);
      for (const row of own) held.get(row.personId)?.add(known(row));
      for (const { personId, groupId, since } of [
        ...(await members(MEMBERSHIPS, ids, lasting)),
        ...(await members(MEMBERSHIPS_SINCE, ids, timed)),
      ])
        for (const { held: each, lasts } of byGroup.get(groupId) ?? [])
          if (lasts === null || (since !== null && since + lasts > at.getTime() * 1000)) held.get(personId)?.add(each);
      return new Map([...held].map(([id, all]) => [id, [...all]]));
    },
  };
}

/** One object for each role on a unit by a rule. */
function createKnown(): (held: HeldByRule) => HeldByRule {
  const known = new Map<string, HeldByRule>();
  return ({ roleId, unitId, ruleId }) => {
    const key = `${roleId} ${unitId} ${ruleId ?? ""}`;
    const there = known.get(key);
    if (there) return there;
    const made = { roleId, unitId, ruleId };
    known.set(key, made);
    return made;
  };
}

const hasEnds = ([, grants]: [string, readonly GroupGrant[]]): boolean => grants.some(({ lasts }) => lasts !== null);

/** What membership of each group gives, by the groups that it is nested in, too; groups that give nothing are left out. Pure. */
export function grantsByGroup({
  grants,
  nestings,
}: {
  grants: readonly GroupGrant[];
  nestings: readonly { child: string; parent: string }[];
}): Map<string, readonly GroupGrant[]> {
  const given = gathered(grants, ({ groupId }) => groupId);
  const parents = gathered(nestings, ({ child }) => child);
  const all = new Map<string, readonly GroupGrant[]>();
  for (const groupId of new Set([...given.keys(), ...parents.keys()])) {
    const above = new Set([groupId]);
    // Walked in the order of insertion, what is added on the way included.
    for (const each of above) for (const { parent } of parents.get(each) ?? []) above.add(parent);
    const reached = [...above].flatMap((each) => given.get(each) ?? []);
    if (reached.length > 0) all.set(groupId, reached);
  }
  return all;
}

function gathered<T>(things: readonly T[], keyOf: (thing: T) => string): Map<string, T[]> {
  const by = new Map<string, T[]>();
  for (const thing of things) {
    const known = by.get(keyOf(thing));
    if (known) known.push(thing);
    else by.set(keyOf(thing), [thing]);
  }
  return by;
}
