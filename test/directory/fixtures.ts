import { randomUUID } from "node:crypto";
import type { Sql } from "../../src/db/database.ts";

/** The day on which the tests' clocks begin. */
export const DAY_ONE = new Date("2026-01-01T08:00:00Z");
export const HOUR = 3_600_000;

export function later(milliseconds: number, from: Date = DAY_ONE): Date {
  return new Date(from.getTime() + milliseconds);
}

/** A clock that stands until it is set. */
export function standingClock(start: Date = DAY_ONE): { now: () => Date; set(at: Date): void; forward(milliseconds: number): void } {
  let at = start;
  return {
    now: () => at,
    set: (next) => {
      at = next;
    },
    forward: (milliseconds) => {
      at = later(milliseconds, at);
    },
  };
}

export interface PersonOptions {
  id?: string;
  userName?: string;
  email?: string;
  employeeNumber?: string;
  state?: "active" | "invited" | "suspended" | "deactivated";
  attributes?: Record<string, unknown>;
  at?: Date;
}

/** A person with its first lifecycle row, as the sync pipeline makes it. */
export async function insertPerson(
  sql: Sql,
  { id = randomUUID(), userName = `u-${id}`, email, employeeNumber, state = "active", attributes = {}, at = DAY_ONE }: PersonOptions = {},
): Promise<string> {
  await sql.query(
    `insert into people (id, user_name, email, employee_number, display_name, active, state, attributes, created_at, modified_at)
     values ($1, $2, $3, $4, $8, $9, $5, $6, $7, $7)`,
    [
      id,
      userName,
      email ?? null,
      employeeNumber ?? null,
      state,
      JSON.stringify({ userName, ...attributes }),
      at,
      userName,
      state === "active" || state === "invited",
    ],
  );
  await sql.query("insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) values ($1, $2, 'joined', $3, $3)", [
    id,
    state,
    at,
  ]);
  return id;
}

export async function insertGroup(
  sql: Sql,
  { id = randomUUID(), displayName = `g-${id}`, at = DAY_ONE }: { id?: string; displayName?: string; at?: Date } = {},
): Promise<string> {
  await sql.query("insert into groups (id, display_name, created_at, modified_at) values ($1, $2, $3, $3)", [id, displayName, at]);
  return id;
}

export async function insertMembership(
  sql: Sql,
  {
    groupId,
    personId,
    from = DAY_ONE,
    to = null,
    connectionId = null,
  }: { groupId: string; personId: string; from?: Date; to?: Date | null; connectionId?: number | null },
): Promise<void> {
  await sql.query(
    "insert into memberships (group_id, person_id, connection_id, valid_from, valid_to, recorded_from) values ($1, $2, $3, $4, $5, $4)",
    [groupId, personId, connectionId, from, to],
  );
}

export async function insertNesting(
  sql: Sql,
  { parentId, childId, from = DAY_ONE, to = null }: { parentId: string; childId: string; from?: Date; to?: Date | null },
): Promise<void> {
  await sql.query(
    "insert into nestings (parent_group_id, child_group_id, valid_from, valid_to, recorded_from) values ($1, $2, $3, $4, $3)",
    [parentId, childId, from, to],
  );
}

export async function insertConnection(
  sql: Sql,
  { name = `c-${randomUUID()}`, policy = {}, enabled = true }: { name?: string; policy?: unknown; enabled?: boolean } = {},
): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    "insert into connections (name, connector, policy, enabled) values ($1, 'test', $2, $3) returning id",
    [name, JSON.stringify(policy), enabled],
  );
  return rows[0]?.id ?? 0;
}

export async function insertAccount(
  sql: Sql,
  {
    connectionId,
    personId,
    nativeId = randomUUID(),
    gone = null,
  }: { connectionId: number; personId: string; nativeId?: string; gone?: Date | null },
): Promise<void> {
  await sql.query(
    `insert into accounts (connection_id, kind, native_id, attributes, hash, mapping_version, situation, person_id, changed_at, gone_at)
     values ($1, 'user', $2, '{}', '', 1, 'linked', $3, $4, $5)`,
    [connectionId, nativeId, personId, DAY_ONE, gone],
  );
}
