import { randomUUID } from "node:crypto";
import { OUT_OF_REACH, reachedPeople, reachedUnits, type Condition, type Reach } from "../../access/policy.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

/** Who must have a second factor: whoever holds the role anywhere, whoever is in the unit or below it, or one person. */
export interface Requirement {
  id: string;
  kind: "role" | "unit" | "person";
  /** Of the role, the unit or the person. */
  subjectId: string;
  /** What it is called. */
  name: string;
  reason: string;
  createdAt: Date;
  createdBy: string;
}

export type RequirementSubject = { roleId: string } | { unitId: string } | { personId: string };

const REQUIREMENTS = `
  select r.id, case when r.role_id is not null then 'role' when r.unit_id is not null then 'unit' else 'person' end as kind,
    coalesce(r.role_id, r.unit_id, r.person_id) as "subjectId", coalesce(roles.name, u.name::text, p.display_name, p.user_name::text) as name,
    r.reason, r.created_at as "createdAt", r.created_by as "createdBy"
  from factor_requirements r left join roles on roles.id = r.role_id left join units u on u.id = r.unit_id left join people p on p.id = r.person_id`;

/** Those of roles are the organisation's. */
function withinReach(reach: Reach, { from }: { from: number }): Condition {
  const units = reachedUnits(reach, { unit: "u", from: from + 1 });
  const people = reachedPeople(reach, { person: "p", from: from + 1 + units.values.length });
  const ways = [
    `r.role_id is not null and $${from}::boolean`,
    `r.unit_id is not null and ${units.text}`,
    `r.person_id is not null and ${people.text}`,
  ];
  return {
    text: `(${ways.map((way) => `(${way})`).join(" or ")})`,
    values: [reach.everything || reach.organisation, ...units.values, ...people.values],
  };
}

export interface RequirementList {
  reach: Reach;
  limit: number;
  /** The last one seen. */
  after?: [string, string] | undefined;
}

/** The requirements in reach, the oldest first. */
export async function listRequirements(sql: Sql, { reach, limit, after }: RequirementList): Promise<Requirement[]> {
  const within = withinReach(reach, { from: 4 });
  const { rows } = await sql.query<Requirement>(
    `${REQUIREMENTS} where ${within.text} and ($1::timestamptz is null or (r.created_at, r.id) > ($1, $2::uuid)) order by r.created_at, r.id limit $3`,
    [after?.[0] ?? null, after?.[1] ?? null, limit, ...within.values],
  );
  return rows;
}

/** Throws `not_found`, for what is out of reach too. */
export async function readRequirement(sql: Sql, { id, reach }: { id: string; reach: Reach }): Promise<Requirement> {
  const within = withinReach(reach, { from: 2 });
  const { rows } = await sql.query<Requirement>(`${REQUIREMENTS} where r.id = $1 and ${within.text}`, [id, ...within.values]);
  if (rows[0]) return rows[0];
  throw new AppError("not_found", "There is no such requirement.", { field: "id", cause: OUT_OF_REACH });
}

const CREATE = `
  insert into factor_requirements (id, role_id, unit_id, person_id, reason, created_at, created_by)
  select $1, (select id from roles where id = $2 and deleted_at is null), (select id from units where id = $3 and deleted_at is null),
    (select id from people where id = $4 and state <> 'deleted'), $5, $6, $7
  where exists (select from roles where id = $2 and deleted_at is null) or exists (select from units where id = $3 and deleted_at is null)
    or exists (select from people where id = $4 and state <> 'deleted')
  on conflict do nothing returning id`;

/** Requires a second factor, from the next sign-in on; returns the requirement's id. Throws `not_found` for an unknown subject, `conflict` when it is required already. */
export async function requireFactor(work: Work, { subject, reason }: { subject: RequirementSubject; reason: string }): Promise<string> {
  const { ctx, sql } = work;
  const ids = ["roleId" in subject ? subject.roleId : null, "unitId" in subject ? subject.unitId : null] as const;
  const personId = "personId" in subject ? subject.personId : null;
  const { rows } = await sql.query<{ id: string }>(CREATE, [randomUUID(), ...ids, personId, reason, ctx.now(), ctx.actor]);
  const [made] = rows;
  if (!made) {
    const { rowCount } = await sql.query("select from factor_requirements where role_id = $1 or unit_id = $2 or person_id = $3", [
      ...ids,
      personId,
    ]);
    if (rowCount) throw new AppError("conflict", "A second factor is required here already.", { field: "kind" });
    throw new AppError("not_found", "There is no such role, unit or person.", { field: "kind" });
  }
  const kind = "roleId" in subject ? "role" : "unitId" in subject ? "unit" : "person";
  await record(work, {
    name: "factor.requirement_set",
    requirement: { id: made.id, kind, subjectId: ids[0] ?? ids[1] ?? personId ?? "" },
    reason,
  });
  return made.id;
}

/** Takes a requirement away; factors that people have are still asked for. Throws `not_found` when somebody else did. */
export async function liftRequirement(work: Work, { requirement, reason }: { requirement: Requirement; reason: string }): Promise<void> {
  const { rowCount } = await work.sql.query("delete from factor_requirements where id = $1", [requirement.id]);
  if (!rowCount) throw new AppError("not_found", "There is no such requirement.", { field: "id" });
  await record(work, { name: "factor.requirement_removed", requirement, reason });
}

async function record(
  work: Work,
  event: {
    name: "factor.requirement_set" | "factor.requirement_removed";
    requirement: Pick<Requirement, "id" | "kind" | "subjectId">;
    reason: string;
  },
): Promise<void> {
  const { id, kind, subjectId } = event.requirement;
  await recordEvent(work, {
    name: event.name,
    subjectType: kind,
    subjectId,
    reason: event.reason,
    data: { kind, requirement: id },
  });
}
