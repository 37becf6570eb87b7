import { randomUUID } from "node:crypto";
import type { Sql, Work } from "../db/database.ts";
import { findUnit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { closeGrants, openGrants } from "./grant-rows.ts";
import { findRole } from "./roles.ts";

export interface GrantInput {
  /** Exactly one of personId and groupId. */
  personId?: string;
  groupId?: string;
  /** The role's key. */
  role: string;
  /** The unit's code or id; the grant covers it and every unit below (A4). */
  unit: string;
  /** When it begins; now when absent or past, because nobody had access before it was given. */
  from?: Date;
  /** When it ends: at this instant there is no access any more. */
  until?: Date;
  /** How long it lasts: from its beginning for a person, from the beginning of the membership for each member of a group. */
  expiresAfterSeconds?: number;
  reason?: string;
  source?: "manual" | "request";
}

/** Gives a role on a unit. Throws `not_found` for what it names, `invalid` for a period that is over, `conflict` for somebody who has left. */
export async function giveGrant(work: Work, input: GrantInput): Promise<string> {
  const { ctx, sql } = work;
  if ((input.personId === undefined) === (input.groupId === undefined))
    throw new AppError("invalid", "A grant goes to a person or to a group, one of them.", { field: "person" });
  const seconds = input.expiresAfterSeconds;
  if (seconds !== undefined && (!Number.isInteger(seconds) || seconds < 1 || seconds > 2 ** 31 - 1)) {
    throw new AppError("invalid", "The time after which a grant ends must be a whole number of seconds, at least 1.", {
      field: "expiresAfterSeconds",
    });
  }
  // Who deletes one of them, or merges the unit, waits, and then sees this grant; or it is gone when this goes on.
  const role = await findRole(sql, input.role, { kept: true });
  const unit = await findUnit(sql, input.unit, { kept: true });
  if (input.personId !== undefined) await refuseLeaver(sql, input.personId);
  if (input.groupId !== undefined) await refuseMissingGroup(sql, input.groupId);
  const now = ctx.now();
  const from = input.from && input.from > now ? input.from : now;
  const until = earliest(
    input.until,
    input.personId !== undefined && seconds !== undefined ? new Date(from.getTime() + seconds * 1000) : undefined,
  );
  if (until && until <= from)
    throw new AppError("invalid", `The grant would end at ${until.toISOString()}, before it begins.`, { field: "until" });
  const grantId = randomUUID();
  await openGrants(work, [
    {
      grantId,
      personId: input.personId ?? null,
      groupId: input.groupId ?? null,
      roleId: role.id,
      unitId: unit.id,
      source: input.source ?? "manual",
      ruleId: null,
      ruleVersion: null,
      expiresAfterSeconds: input.groupId === undefined ? null : (seconds ?? null),
      reason: input.reason ?? "",
      validFrom: from,
      validTo: until ?? null,
    },
  ]);
  return grantId;
}

/** Takes a grant back, at once (A6). Throws `not_found` when it is unknown or over, `conflict` for one that a rule makes. */
export async function revokeGrant(work: Work, { grantId, reason }: { grantId: string; reason: string }): Promise<void> {
  const { rows } = await work.sql.query<{ source: string; rule: string | null }>(
    "select g.source, rules.name as rule from grants g left join rules on rules.id = g.rule_id where g.grant_id = $1 and g.recorded_to is null order by g.id desc limit 1",
    [grantId],
  );
  if (rows[0]?.source === "rule") {
    throw new AppError(
      "conflict",
      `The grant ${grantId} is made by the rule ${rows[0].rule}; it would come back. Change the rule, or what it asks for.`,
      { field: "grant" },
    );
  }
  const closed = await closeGrants(work, { grantIds: [grantId], reason });
  if (closed === 0) throw new AppError("not_found", `There is no grant ${grantId} that could be revoked.`, { field: "grant" });
}

export interface PersonGrant {
  grantId: string;
  role: string;
  roleName: string;
  unit: string;
  unitName: string;
  source: string;
  rule: string | null;
  reason: string;
  from: Date;
  until: Date | null;
}

const GRANTS_OF_PERSON = `
  select g.grant_id as "grantId", roles.key as role, roles.name as "roleName", coalesce(units.code, units.id::text) as unit, units.name as "unitName",
    g.source, rules.name as rule, g.reason, g.valid_from as from, g.valid_to as until
  from grants g join roles on roles.id = g.role_id join units on units.id = g.unit_id left join rules on rules.id = g.rule_id
  where g.person_id = $1 and g.recorded_to is null and (g.valid_to is null or g.valid_to > $2)
  order by g.valid_from, g.id`;

/** Grants made to the person itself that hold at `at` or begin later. */
export async function grantsOfPerson(sql: Sql, { personId, at }: { personId: string; at: Date }): Promise<PersonGrant[]> {
  const { rows } = await sql.query<PersonGrant>(GRANTS_OF_PERSON, [personId, at]);
  return rows;
}

async function refuseLeaver(sql: Sql, personId: string): Promise<void> {
  // The lock makes a deactivation wait, which then withdraws this grant too.
  const { rows } = await sql.query<{ state: string; user_name: string }>("select state, user_name from people where id = $1 for update", [
    personId,
  ]);
  const person = rows[0];
  if (!person || person.state === "deleted") throw new AppError("not_found", `There is no person ${personId}.`, { field: "person" });
  if (person.state === "deactivated")
    throw new AppError("conflict", `${person.user_name} is deactivated; activate the person first.`, { field: "person" });
}

async function refuseMissingGroup(sql: Sql, groupId: string): Promise<void> {
  const { rows } = await sql.query("select from groups where id = $1 and deleted_at is null for key share", [groupId]);
  if (rows.length === 0) throw new AppError("not_found", `There is no group ${groupId}.`, { field: "group" });
}

function earliest(...dates: readonly (Date | undefined)[]): Date | undefined {
  return dates.reduce((first, date) => (first && date ? (date < first ? date : first) : (first ?? date)), undefined);
}
