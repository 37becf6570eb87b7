import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { reachedUnits, type Reach } from "./policy.ts";

export interface RequestLine {
  id: string;
  person: { id: string; userName: string; displayName: string | null };
  requestedBy: { id: string; userName: string; displayName: string | null };
  role: { id: string; key: string; name: string };
  unit: { id: string; name: string; code: string | null };
  from: Date | null;
  until: Date | null;
  reason: string;
  state: "pending" | "approved" | "refused" | "withdrawn" | "lapsed";
  requestedAt: Date;
  /** Undecided until then, it is over. */
  lapsesAt: Date;
  decidedBy: string | null;
  decidedAt: Date | null;
  decisionReason: string | null;
  /** What it became. */
  grantId: string | null;
  version: number;
}

// What has lapsed is so from its time on, whenever the job comes round to write it down.
const STATE = "case when r.state = 'pending' and r.lapses_at <= $1 then 'lapsed' else r.state end";
const somebody = (alias: string) =>
  `json_build_object('id', ${alias}.id, 'userName', ${alias}.user_name, 'displayName', ${alias}.display_name)`;
const LINE = `
  select r.id, ${somebody("p")} as person, ${somebody("asker")} as "requestedBy",
    json_build_object('id', roles.id, 'key', roles.key, 'name', roles.name) as role, json_build_object('id', u.id, 'name', u.name, 'code', u.code) as unit,
    r.valid_from as from, r.valid_to as until, r.reason, ${STATE} as state, r.requested_at as "requestedAt", r.lapses_at as "lapsesAt",
    r.decided_by as "decidedBy", r.decided_at as "decidedAt", r.decision_reason as "decisionReason", r.grant_id as "grantId", r.version
  from access_requests r join people p on p.id = r.person_id join people asker on asker.id = r.requested_by
    join roles on roles.id = r.role_id join units u on u.id = r.unit_id`;

export interface RequestListOptions {
  at: Date;
  /** Whose requests: asked by or for them; null for a service. */
  personId: string | null;
  /** Where one may decide. */
  deciding: Reach;
  /** own: by or for oneself; to-decide: waiting, and not one's own; all: both, and what is decided. */
  view: "own" | "to-decide" | "all";
  state?: RequestLine["state"] | undefined;
  limit: number;
  /** When the last one of the page before was made, and its id. */
  after?: readonly [string, string] | undefined;
}

/** Requests, the newest first. */
export async function listRequests(
  sql: Sql,
  { at, personId, deciding, view, state, limit, after }: RequestListOptions,
): Promise<RequestLine[]> {
  const own = "(r.person_id = $2::uuid or r.requested_by = $2::uuid)";
  const within = reachedUnits(deciding, { unit: "u", from: 7 });
  const views = {
    own,
    "to-decide": `(${within.text} and ${own} is not true and ${STATE} = 'pending')`,
    all: `(${own} or ${within.text})`,
  };
  const { rows } = await sql.query<RequestLine>(
    `${LINE} where ($3::text is null or ${STATE} = $3) and ($4::timestamptz is null or (r.requested_at, r.id) < ($4, $5::uuid))
       and ${views[view]}
     order by r.requested_at desc, r.id desc limit $6`,
    [at, personId, state ?? null, after?.[0] ?? null, after?.[1] ?? null, limit, ...(view === "own" ? [] : within.values)],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readRequest(sql: Sql, { id, at }: { id: string; at: Date }): Promise<RequestLine> {
  const { rows } = await sql.query<RequestLine>(`${LINE} where r.id = $2`, [at, id]);
  const [request] = rows;
  if (!request) throw new AppError("not_found", `There is no request ${id}.`, { field: "request" });
  return request;
}
