import type { Sql } from "../db/database.ts";

/** The bitemporal tables, with the columns that a belief carries besides its times. */
const PERIOD_TABLES = {
  blocks: "person_id, owner, connection_id, effect, reason, source_changed_at",
  lifecycle_periods: "person_id, state, reason",
  employment_absences: "person_id, connection_id, effect",
  person_expiries: "person_id, reason",
  memberships: "group_id, person_id, connection_id, account_id",
  nestings: "parent_group_id, child_group_id, connection_id, account_id",
  unit_placements: "unit_id, parent_id",
  person_units: "person_id, unit_id, connection_id",
  role_permissions: "role_id, permission_key",
  role_parents: "role_id, parent_role_id",
  rule_matches: "rule_id, person_id",
  grants: "grant_id, person_id, group_id, role_id, unit_id, source, rule_id, rule_version, expires_after_seconds, reason, granted_by",
} as const;

export type PeriodTable = keyof typeof PERIOD_TABLES;

export interface Closing {
  table: PeriodTable;
  ids: readonly (number | string)[];
  at: Date;
  /** Whose periods they are. Memberships have no index of their ids, which joining would pay for with each row: without it, all are looked through. */
  personIds?: readonly string[];
}

/**
 * Closes periods at an instant: the current beliefs are superseded, and what was already so is kept as a closed period.
 * A period that had not begun leaves nothing but its superseded belief. Ids of rows that are superseded already are passed over,
 * as are periods that ended before. Clocks of two nodes may differ: no belief ends before it began, and of a membership, of a unit's, or of a
 * match of a rule, that began before the one before it ended, only the rest is kept.
 */
export async function closePeriods(sql: Sql, { table, ids, at, personIds }: Closing): Promise<void> {
  if (ids.length === 0) return;
  const columns = PERIOD_TABLES[table];
  await sql.query(
    `with superseded as (
       update ${table} set recorded_to = greatest($2::timestamptz, recorded_from)
       where ${personIds ? "person_id = any($3::uuid[]) and " : ""}id = any($1::bigint[]) and recorded_to is null and (valid_to is null or valid_to > $2)
       returning *
     )
     insert into ${table} (${columns}, valid_from, valid_to, recorded_from)
     select ${columns}, began, $2, recorded_to from (select *, ${BEGAN[table] ?? "valid_from"} as began from superseded) each
     where began < $2`,
    [ids, at, ...(personIds ? [personIds] : [])],
  );
}

const afterTheLast = (table: "memberships" | "person_units" | "rule_matches", same: string): string =>
  `greatest(valid_from, (select max(m.valid_to) from ${table} m where ${same} and m.recorded_to is null and m.valid_to > superseded.valid_from))`;

/** SQL of when what is kept of a period began, where another one may reach into it. */
const BEGAN: Partial<Record<PeriodTable, string>> = {
  memberships: afterTheLast(
    "memberships",
    "m.group_id = superseded.group_id and m.person_id = superseded.person_id and coalesce(m.connection_id, 0) = coalesce(superseded.connection_id, 0)",
  ),
  person_units: afterTheLast(
    "person_units",
    "m.person_id = superseded.person_id and m.unit_id = superseded.unit_id and coalesce(m.connection_id, 0) = coalesce(superseded.connection_id, 0)",
  ),
  rule_matches: afterTheLast("rule_matches", "m.rule_id = superseded.rule_id and m.person_id = superseded.person_id"),
};
