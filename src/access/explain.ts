import type { Sql } from "../db/database.ts";
import type { ExplainFacts, NamedUnit, Obstacle, RuleFact, SourceRecord } from "./explain-facts.ts";
import { loadExplainFacts, type ExplainQuestion } from "./explain-load.ts";
import { removalsOf, type Removable } from "./explain-removal.ts";
import { waysOf, type Way } from "./explain-ways.ts";
import { loadOtherWays } from "./why-not-load.ts";
import { whyNot, type MissingLink } from "./why-not.ts";

/** One way from a source's record to the permission, with names (B4). */
export interface Derivation {
  membership: { groupId: string; group: string; since: Date; sources: SourceRecord[] } | null;
  /** The groups after that one, up to the one that holds the grant. */
  nestings: { groupId: string; group: string; connection: string | null }[];
  rule: (RuleFact & { attributes: { name: string; connection: string | null }[] }) | null;
  grant: { id: string; source: string; reason: string; from: Date; until: Date | null };
  /** From the role that was granted to the one that holds the permission. */
  roles: { id: string; key: string; name: string }[];
  /** From the unit that was granted down to the one that was asked for. */
  units: NamedUnit[];
  endsAt: Date | null;
}

export type NamedRemovable = Removable & { name: string };

export interface Explanation {
  allowed: boolean;
  /** What keeps the person from everything, whatever the derivations. */
  blockedBy: Obstacle[];
  derivations: Derivation[];
  /** Where there is no derivation: the nearest missing links first. */
  missing: MissingLink[];
  /** Minimal sets of things without which no derivation is left. */
  removals: NamedRemovable[][];
  /** Whether these are all such sets. */
  allRemovals: boolean;
}

export interface ExplainOptions extends ExplainQuestion {
  /** Whether to look for ways that others go: groups and rules which the person may not be told of. */
  otherWays: boolean;
}

const MOST_DERIVATIONS = 50;

/** Why a person may or may not do something on a unit at an instant, and what would end it (B4). */
export async function explainAccess(sql: Sql, { otherWays, ...question }: ExplainOptions): Promise<Explanation> {
  const facts = await loadExplainFacts(sql, question);
  const ways = waysOf(facts);
  const missing = ways.length > 0 ? [] : whyNot(facts, otherWays ? await loadOtherWays(sql, facts, question) : undefined);
  const { sets, complete } = ways.length === 0 ? { sets: [], complete: true } : removalsOf(facts);
  const mastered = ways.some(({ grant }) => grant.rule?.condition) ? await masteryOf(sql, question.personId) : {};
  return {
    allowed: ways.length > 0 && facts.person.blocks.length === 0 && facts.person.state === "active",
    blockedBy: [...facts.person.blocks],
    derivations: ways.slice(0, MOST_DERIVATIONS).map((way) => derivationOf(way, { facts, mastered })),
    missing,
    removals: sets.map((set) => set.map((thing) => ({ ...thing, name: nameOf(facts, thing) }))),
    allRemovals: complete,
  };
}

type Mastery = Readonly<Record<string, string>>;

async function masteryOf(sql: Sql, personId: string): Promise<Mastery> {
  const { rows } = await sql.query<{ key: string; connection: string }>(
    "select m.key, c.name as connection from people p cross join lateral jsonb_each_text(p.mastery) m join connections c on c.id = m.value::int where p.id = $1",
    [personId],
  );
  return Object.fromEntries(rows.map(({ key, connection }) => [key, connection]));
}

function derivationOf(
  { membership, nestings, grant, roleIds, unitIds, endsAt }: Way,
  { facts, mastered }: { facts: ExplainFacts; mastered: Mastery },
): Derivation {
  const groupOf = (groupId: string) => ({ groupId, group: facts.groups.get(groupId) ?? groupId });
  return {
    membership: membership && { ...groupOf(membership.groupId), since: membership.from, sources: membership.sources },
    nestings: nestings.map(({ parentId, connection }) => ({ ...groupOf(parentId), connection })),
    rule: grant.rule && { ...grant.rule, attributes: attributesNamed(grant.rule.condition, mastered) },
    grant: { id: grant.grantId, source: grant.source, reason: grant.reason, from: grant.from, until: grant.to },
    roles: roleIds.map((id) => ({ id, key: facts.roles.get(id)?.key ?? id, name: facts.roles.get(id)?.name ?? id })),
    units: unitIds.flatMap((id) => facts.unitPath.find((unit) => unit.id === id) ?? []),
    endsAt,
  };
}

/** The attributes of a person that a condition asks for, each with the connection that masters it; null = edited or decided here. Pure. */
export function attributesNamed(condition: string | null, mastered: Mastery): { name: string; connection: string | null }[] {
  const names = new Set([...(condition ?? "").matchAll(/\bperson\.(\w+)/g)].flatMap(([, name]) => name ?? []));
  return [...names].map((name) => {
    const key = Object.keys(mastered).find((each) => each === name || each.endsWith(`:${name}`) || each.endsWith(`.${name}`));
    return { name, connection: mastered[key ?? "*"] ?? null };
  });
}

function nameOf({ groups, grants, roles, permission }: ExplainFacts, thing: Removable): string {
  const group = (id: string) => groups.get(id) ?? id;
  const role = (id: string) => roles.get(id)?.key ?? id;
  switch (thing.kind) {
    case "membership":
      return `the membership in ${group(thing.groupId)}`;
    case "nesting":
      return `${group(thing.childId)} as a member of ${group(thing.parentId)}`;
    case "grant": {
      const grant = grants.find(({ grantId }) => grantId === thing.grantId);
      return grant
        ? `the grant of ${role(grant.roleId)} on ${grant.unit.code ?? grant.unit.name}${grant.groupId === null ? "" : ` to ${group(grant.groupId)}`}`
        : thing.grantId;
    }
    case "rule":
      return `the rule ${grants.find(({ rule }) => rule?.id === thing.ruleId)?.rule?.name ?? thing.ruleId}`;
    case "inheritance":
      return `what ${role(thing.roleId)} inherits from ${role(thing.parentId)}`;
    case "content":
      return `${permission} in ${role(thing.roleId)}`;
  }
}
