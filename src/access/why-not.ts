import { holdsAt, type ExplainFacts, type GrantFact, type MembershipFact, type NamedUnit } from "./explain-facts.ts";
import { endOf, reachedGroups, rolePath } from "./explain-ways.ts";

/** Ways that exist, and that the person does not go: what would give the permission on the unit to others. */
export interface OtherWays {
  /** To groups that the person is in by no nesting; in effect or ahead. */
  grants: readonly (GrantFact & { group: string })[];
  rules: readonly OtherRule[];
}

/** A rule that gives a role with the permission on the unit or above. */
export interface OtherRule {
  id: string;
  name: string;
  group: string | null;
  condition: string | null;
  roleId: string;
  unit: NamedUnit;
  enabled: boolean;
  startsAt: Date | null;
  expiresAt: Date | null;
  /** Whether the person fulfils its condition. */
  matched: boolean;
  /** Whether a group is there that it names. */
  groupFound: boolean;
}

/** One thing that is missing; if it were otherwise, the person would hold the permission (blocks of the person apart). */
export interface MissingLink {
  kind:
    | "grant_ended"
    | "grant_not_begun"
    | "member_time_over"
    | "membership_ended"
    | "membership_not_begun"
    | "role_lacks_it"
    | "unit_beside"
    | "not_a_member"
    | "rule_not_fulfilled"
    | "rule_off"
    | "rule_not_in_time"
    | "rule_waits_for_group"
    | "no_role_has_it"
    | "unit_unknown";
  /** When it ended, or will begin. */
  at: Date | null;
  grantId: string | null;
  groupId: string | null;
  group: string | null;
  ruleId: string | null;
  rule: string | null;
  /** The role's key. */
  role: string | null;
  unit: NamedUnit | null;
}

const NOTHING = { at: null, grantId: null, groupId: null, group: null, ruleId: null, rule: null, role: null, unit: null };

/** From what the person had or will have, over what misses by a role or a unit, to what only others have. */
const NEAREST: readonly MissingLink["kind"][] = [
  "grant_not_begun",
  "membership_not_begun",
  "grant_ended",
  "member_time_over",
  "membership_ended",
  "role_lacks_it",
  "unit_beside",
  "rule_off",
  "rule_not_in_time",
  "not_a_member",
  "rule_not_fulfilled",
  "rule_waits_for_group",
  "no_role_has_it",
  "unit_unknown",
];

/** Why a person has no way to the permission on the unit: the nearest missing links first, within one kind the latest. Pure. */
export function whyNot(facts: ExplainFacts, others: OtherWays = { grants: [], rules: [] }): MissingLink[] {
  if (facts.unitPath.length === 0) return [{ ...NOTHING, kind: "unit_unknown" }];
  if (![...facts.roles.values()].some(({ holds }) => holds)) return [{ ...NOTHING, kind: "no_role_has_it" }];
  const links = [
    ...facts.grants.flatMap((grant) => missedByGrant(facts, grant)),
    ...others.grants.map((grant) => missedMembership(facts, grant)),
    ...others.rules.flatMap((rule) => missedRule(facts, rule)),
  ];
  return links.sort((a, b) => NEAREST.indexOf(a.kind) - NEAREST.indexOf(b.kind) || (b.at?.getTime() ?? 0) - (a.at?.getTime() ?? 0));
}

function missedByGrant(facts: ExplainFacts, grant: GrantFact): MissingLink[] {
  const { at, unitPath } = facts;
  const covers = unitPath.some(({ id }) => id === grant.unit.id);
  const holds = rolePath(facts, grant.roleId) !== undefined;
  const link = linkOf(facts, grant);
  if (!holdsAt(grant, at)) {
    if (!covers || !holds) return [];
    return [grant.from > at ? { ...link, kind: "grant_not_begun", at: grant.from } : { ...link, kind: "grant_ended", at: grant.to }];
  }
  const ends = endsFor(facts, grant);
  if (ends.length > 0 && ends.every((end) => end !== null && end <= at))
    return covers && holds ? [{ ...link, kind: "member_time_over", at: ends.at(-1) ?? null }] : [];
  if (covers && !holds) return [{ ...link, kind: "role_lacks_it" }];
  return holds && !covers ? [{ ...link, kind: "unit_beside" }] : [];
}

/** When the grant ends for each membership that leads to it. */
function endsFor(facts: ExplainFacts, grant: GrantFact): (Date | null)[] {
  if (grant.groupId === null) return [];
  return reachedGroups(facts).flatMap(({ membership, groups }) => (groups.has(grant.groupId) ? endOf(grant, membership) : []));
}

function missedMembership(facts: ExplainFacts, grant: GrantFact & { group: string }): MissingLink {
  const { at } = facts;
  const link = { ...linkOf(facts, grant), group: grant.group };
  const stretches = facts.memberships.filter(({ groupId }) => groupId === grant.groupId);
  const next = earliest(stretches.filter(({ from }) => from > at));
  if (next) return { ...link, kind: "membership_not_begun", at: next.from };
  const ends = stretches.flatMap(({ to }) => to ?? []).sort((a, b) => b.getTime() - a.getTime());
  return ends[0] ? { ...link, kind: "membership_ended", at: ends[0] } : { ...link, kind: "not_a_member" };
}

function earliest(stretches: readonly MembershipFact[]): MembershipFact | undefined {
  return [...stretches].sort((a, b) => a.from.getTime() - b.from.getTime())[0];
}

function missedRule(facts: ExplainFacts, rule: OtherRule): MissingLink[] {
  const { at } = facts;
  const link = {
    ...NOTHING,
    ruleId: rule.id,
    rule: rule.name,
    group: rule.group,
    role: facts.roles.get(rule.roleId)?.key ?? null,
    unit: rule.unit,
  };
  if (!rule.enabled) return [{ ...link, kind: "rule_off" }];
  if (rule.startsAt !== null && rule.startsAt > at) return [{ ...link, kind: "rule_not_in_time", at: rule.startsAt }];
  if (rule.expiresAt !== null && rule.expiresAt <= at) return [{ ...link, kind: "rule_not_in_time", at: rule.expiresAt }];
  if (rule.condition !== null) return rule.matched ? [] : [{ ...link, kind: "rule_not_fulfilled" }];
  // A group that is there has a grant by the rule, which says it already.
  return rule.groupFound ? [] : [{ ...link, kind: "rule_waits_for_group" }];
}

function linkOf(facts: ExplainFacts, { grantId, groupId, roleId, unit, rule }: GrantFact): Omit<MissingLink, "kind"> {
  return {
    ...NOTHING,
    grantId,
    groupId,
    group: groupId === null ? null : (facts.groups.get(groupId) ?? null),
    ruleId: rule?.id ?? null,
    rule: rule?.name ?? null,
    role: facts.roles.get(roleId)?.key ?? null,
    unit,
  };
}
