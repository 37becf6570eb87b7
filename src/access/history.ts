import type { Sql } from "../db/database.ts";
import { accessSql } from "./effective.ts";

/** What a person may do at an instant, as it is believed now or was believed then (B5). */
export interface HistoryQuestion {
  personId: string;
  at: Date;
  knownAt?: Date | undefined;
  permission?: string | undefined;
  unitId?: string | undefined;
}

export interface HeldAccess {
  unitId: string;
  unit: string;
  unitCode: string | null;
  permission: string;
  /** By how many ways. */
  derivations: number;
  /** When the last of them ends by itself; null = never. */
  until: Date | null;
}

const LIST = (derivations: string) => `
  select e."unitId", u.name::text as unit, u.code::text as "unitCode", e.permission, count(*)::int as derivations,
    case when bool_or(e."endsAt" is null) then null else max(e."endsAt") end as until
  from (${derivations}) e join units u on u.id = e."unitId"
  where ($5::timestamptz is null or true) and ($7::text is null or (e.permission, e."unitId") > ($7, $8::uuid))
  group by e."unitId", u.name, u.code, e.permission order by e.permission, e."unitId" limit $6`;

/** Permission by permission, unit by unit, in pages. @param after the last permission and unit of the page before */
export async function listHeldAccess(
  sql: Sql,
  { limit, after, ...question }: HistoryQuestion & { limit: number; after?: readonly [string, string] | undefined },
): Promise<HeldAccess[]> {
  const text = LIST(derivationsOf(question));
  const { rows } = await sql.query<HeldAccess>(text, [...valuesOf(question), limit, after?.[0] ?? null, after?.[1] ?? null]);
  return rows;
}

export interface HeldRole {
  grantId: string;
  source: string;
  /** Where it was granted. */
  unitId: string;
  unit: string;
  unitCode: string | null;
  /** The role's key. */
  role: string;
  roleName: string;
  /** Null when the grant is the person's own. */
  groupId: string | null;
  group: string | null;
  ruleId: string | null;
  rule: string | null;
  /** How many units it covers, and how many permissions it gives there. */
  units: number;
  permissions: number;
  until: Date | null;
}

const SUMMARY = (derivations: string) => `
  select e."grantId", e.source, e."grantedUnitId" as "unitId", u.name::text as unit, u.code::text as "unitCode", roles.key as role, roles.name as "roleName",
    e."groupId", g.display_name::text as "group", e."ruleId", rules.name as rule, e.units, e.permissions, e.until
  from (
    select "grantId", source, "grantedUnitId", "roleId", "groupId", "ruleId", count(distinct "unitId")::int as units, count(distinct permission)::int as permissions,
      case when bool_or("endsAt" is null) then null else max("endsAt") end as until
    from (${derivations}) d where ($5::timestamptz is null or true) and ($7::uuid is null or ("grantId", coalesce("groupId", "grantId")) > ($7, $8::uuid))
    group by 1, 2, 3, 4, 5, 6 order by "grantId", coalesce("groupId", "grantId") limit $6
  ) e
  join units u on u.id = e."grantedUnitId" join roles on roles.id = e."roleId"
  left join groups g on g.id = e."groupId" left join rules on rules.id = e."ruleId"
  order by e."grantId", coalesce(e."groupId", e."grantId")`;

/** The same by unit, role and group: what was granted, and how much follows from it. @param after grant and group of the last one, its grant twice without a group */
export async function listHeldRoles(
  sql: Sql,
  { limit, after, ...question }: HistoryQuestion & { limit: number; after?: readonly [string, string] | undefined },
): Promise<HeldRole[]> {
  const text = SUMMARY(derivationsOf(question));
  const { rows } = await sql.query<HeldRole>(text, [...valuesOf(question), limit, after?.[0] ?? null, after?.[1] ?? null]);
  return rows;
}

function derivationsOf({ knownAt, unitId }: HistoryQuestion): string {
  return accessSql({ onUnit: unitId !== undefined, asKnown: knownAt !== undefined });
}

function valuesOf({ personId, at, unitId, permission, knownAt }: HistoryQuestion): unknown[] {
  return [personId, at, unitId ?? null, permission ?? null, knownAt ?? null];
}
