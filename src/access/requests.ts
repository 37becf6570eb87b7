import { randomUUID } from "node:crypto";
import { recordEvent, recordEvents } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { findUnit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { giveGrant } from "./grants.ts";
import { findRole } from "./roles.ts";

/** How long a request waits for somebody to decide. */
const LAPSES_AFTER_DAYS = 14;
const DAY_MS = 86_400_000;

export interface NewAccessRequest {
  /** For whom. */
  personId: string;
  /** Who asks. */
  requestedBy: string;
  /** The role's key. */
  role: string;
  unitId: string;
  from?: Date | undefined;
  until?: Date | undefined;
  reason: string;
}

/**
 * Asks for a role on a unit (A7); nothing is given before somebody has approved. Throws `not_found` for a role or unit that is not there,
 * `invalid` for a time that is over, `conflict` for the same request twice.
 */
export async function makeRequest(work: Work, input: NewAccessRequest): Promise<string> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const role = await findRole(sql, input.role, { kept: true });
  const unit = await findUnit(sql, input.unitId, { kept: true });
  const { from, until } = input;
  if (until && (until <= now || (from && until <= from)))
    throw new AppError("invalid", "until: the access would be over before it begins.", { field: "until" });
  // Who asks twice at the same time is told of the first.
  await sql.query("select from people where id = $1 for update", [input.personId]);
  const { rowCount } = await sql.query(
    "select from access_requests where person_id = $1 and role_id = $2 and unit_id = $3 and state = 'pending' and lapses_at > $4",
    [input.personId, role.id, unit.id, now],
  );
  if (rowCount)
    throw new AppError("conflict", `${role.name} on ${unit.name} has been asked for already, and waits for a decision.`, { field: "role" });
  const id = randomUUID();
  await sql.query(
    `insert into access_requests (id, person_id, role_id, unit_id, valid_from, valid_to, reason, requested_by, requested_at, lapses_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [id, input.personId, role.id, unit.id, from ?? null, until ?? null, input.reason, input.requestedBy, now, lapsesAt(now)],
  );
  await recordEvent(work, {
    name: "request.made",
    subjectType: "request",
    subjectId: id,
    reason: input.reason,
    data: { role: role.key, unit: unit.code ?? unit.id, from: from?.toISOString() ?? null, until: until?.toISOString() ?? null },
  });
  return id;
}

function lapsesAt(now: Date): Date {
  return new Date(now.getTime() + LAPSES_AFTER_DAYS * DAY_MS);
}

interface Pending {
  id: string;
  personId: string;
  role: string;
  unitId: string;
  unit: string;
  from: Date | null;
  until: Date | null;
}

export interface Decision {
  requestId: string;
  reason: string;
}

/**
 * Gives what was asked for, for the time that was asked for or a shorter one. Throws `conflict` when it is decided already, has lapsed, or
 * its time is over, `invalid` for a later end than was asked for.
 */
export async function approveRequest(work: Work, { requestId, until, reason }: Decision & { until?: Date | undefined }): Promise<string> {
  const { ctx, sql } = work;
  const request = await lockPending(work, requestId);
  if (until && request.until && until > request.until)
    throw new AppError("invalid", `until: asked for was until ${request.until.toISOString()}; approve that or less.`, { field: "until" });
  const end = until ?? request.until ?? undefined;
  if (!until && end && end <= ctx.now())
    throw new AppError("conflict", "The time that was asked for is over; refuse the request.", { field: "until" });
  const grantId = await giveGrant(work, {
    personId: request.personId,
    role: request.role,
    unit: request.unitId,
    source: "request",
    reason,
    ...(request.from ? { from: request.from } : {}),
    ...(end ? { until: end } : {}),
  });
  await sql.query("update access_requests set grant_id = $2 where id = $1", [requestId, grantId]);
  await settle(work, { request, state: "approved", reason, data: { grant: grantId, until: end?.toISOString() ?? null } });
  return grantId;
}

/** Throws `conflict` when it is decided already or has lapsed. */
export async function refuseRequest(work: Work, { requestId, reason }: Decision): Promise<void> {
  await settle(work, { request: await lockPending(work, requestId), state: "refused", reason });
}

/** By who asked. Throws `conflict` when it is decided already or has lapsed. */
export async function withdrawRequest(work: Work, { requestId, reason }: Decision): Promise<void> {
  await settle(work, { request: await lockPending(work, requestId), state: "withdrawn", reason });
}

interface Settled {
  request: Pending;
  reason: string;
}

async function settle(
  work: Work,
  decided: Settled & ({ state: "approved"; data: { grant: string; until: string | null } } | { state: "refused" | "withdrawn" }),
): Promise<void> {
  const { ctx, sql } = work;
  const { request, reason } = decided;
  await sql.query(
    "update access_requests set state = $2, decided_by = $3, decided_at = $4, decision_reason = $5, version = version + 1 where id = $1",
    [request.id, decided.state, ctx.actor, ctx.now(), reason],
  );
  const about = { subjectType: "request", subjectId: request.id, reason };
  const asked = { role: request.role, unit: request.unit };
  if (decided.state === "approved") await recordEvent(work, { ...about, name: "request.approved", data: { ...asked, ...decided.data } });
  else await recordEvent(work, { ...about, name: `request.${decided.state}`, data: asked });
}

const NAMED = `r.id, r.person_id as "personId", roles.key as role, r.unit_id as "unitId", coalesce(units.code::text, units.id::text) as unit, r.valid_from as from, r.valid_to as until`;
const NAMES = "join roles on roles.id = r.role_id join units on units.id = r.unit_id";

async function lockPending({ ctx, sql }: Work, id: string): Promise<Pending> {
  const { rows } = await sql.query<Pending & { state: string; lapsed: boolean }>(
    `select ${NAMED}, r.state, r.lapses_at <= $2 as lapsed from access_requests r ${NAMES} where r.id = $1 for update of r`,
    [id, ctx.now()],
  );
  const [request] = rows;
  if (!request) throw new AppError("not_found", `There is no request ${id}.`, { field: "request" });
  if (request.state !== "pending") throw new AppError("conflict", `The request is ${request.state} already.`, { field: "state" });
  if (request.lapsed) throw new AppError("conflict", "Nobody decided in time: the request has lapsed. Ask again.", { field: "state" });
  return request;
}

/** Ends requests that nobody decided in time, and says so in the trail; they count as lapsed from their time on, without this. Returns how many. */
export async function lapseRequests(work: Work): Promise<number> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<Pending>(
    `with lapsed as (
       update access_requests set state = 'lapsed', decided_at = lapses_at, version = version + 1 where state = 'pending' and lapses_at <= $1 returning *
     ) select ${NAMED} from lapsed r ${NAMES} order by r.id`,
    [ctx.now()],
  );
  await recordEvents(
    work,
    rows.map(({ id, role, unit }) => ({
      name: "request.lapsed" as const,
      subjectType: "request",
      subjectId: id,
      reason: `nobody decided within ${LAPSES_AFTER_DAYS} days`,
      data: { role, unit },
    })),
  );
  return rows.length;
}

export interface RequestedAccess {
  personId: string;
  requestedBy: string;
  unitId: string;
  roleId: string;
}

/** What a request is about, for deciding who may see and decide it; undefined when it is not there. */
export async function requestedAccess(sql: Sql, id: string): Promise<RequestedAccess | undefined> {
  const { rows } = await sql.query<RequestedAccess>(
    'select person_id as "personId", requested_by as "requestedBy", unit_id as "unitId", role_id as "roleId" from access_requests where id = $1',
    [id],
  );
  return rows[0];
}
