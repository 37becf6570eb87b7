import type { Sql, Work } from "../../db/database.ts";
import { open, seal, type KeyRing } from "../../db/envelope.ts";
import { personKeys } from "../../directory/personal.ts";

/** What a provider lets us ask it about somebody without a new sign-in. */
export interface OfflineGrant {
  connectionId: number;
  nativeId: string;
  personId: string;
  /** `sub`; a refresh never speaks of anybody else. */
  subject: string;
  failures: number;
  /** Until when it is ours to ask by. A sign-in meanwhile, or another node after that time, moves it: then what was asked says nothing any more. */
  takenUntil: Date;
}

export interface NewOfflineGrant {
  keyRing: KeyRing;
  connectionId: number;
  nativeId: string;
  personId: string;
  subject: string;
  refreshToken: string;
  refreshHours: number;
}

/** Keeps a refresh token, sealed with the person's key, instead of the one before. */
export async function keepOfflineGrant(work: Work, grant: NewOfflineGrant): Promise<void> {
  const { connectionId, nativeId, personId, subject, refreshHours } = grant;
  const now = work.ctx.now();
  await work.sql.query(
    `insert into offline_grants (connection_id, native_id, person_id, subject, sealed, granted_at, refreshed_at, due_at)
     values ($1, $2, $3, $4, $5, $6, $6, $7)
     on conflict (connection_id, native_id) do update set person_id = excluded.person_id, subject = excluded.subject, sealed = excluded.sealed,
       granted_at = excluded.granted_at, refreshed_at = excluded.refreshed_at, due_at = excluded.due_at, failures = 0`,
    [connectionId, nativeId, personId, subject, await sealed(work, grant), now, dueAfter(now, refreshHours)],
  );
}

/** The grants that are due, each taken for a while, so that no other node asks at the same time. */
export async function takeDueGrants({ ctx, sql }: Work, { most }: { most: number }): Promise<OfflineGrant[]> {
  const now = ctx.now();
  const { rows } = await sql.query<OfflineGrant>(
    `update offline_grants g set due_at = $2 from (
       select o.connection_id, o.native_id from offline_grants o join connections c on c.id = o.connection_id and c.enabled
       where o.due_at <= $1 order by o.due_at limit $3 for update of o skip locked) due
     where g.connection_id = due.connection_id and g.native_id = due.native_id
     returning g.connection_id as "connectionId", g.native_id as "nativeId", g.person_id as "personId", g.subject, g.failures,
       g.due_at as "takenUntil"`,
    [now, new Date(now.getTime() + TAKEN_MS), most],
  );
  return rows;
}

const TAKEN_MS = 10 * 60_000;

/** Its row, while it is ours. $1 to $3 are `ours(grant)`. */
const STILL_OURS = "connection_id = $1 and native_id = $2 and due_at = $3";
const ours = ({ connectionId, nativeId, takenUntil }: OfflineGrant) => [connectionId, nativeId, takenUntil];

/** The refresh token of a grant. "moved" = it is ours no more; undefined when the person's key is gone. Throws `misconfigured` when it does not open. */
export async function refreshTokenOf(
  work: Work,
  { keyRing, grant }: { keyRing: KeyRing; grant: OfflineGrant },
): Promise<{ refreshToken: string | undefined } | "moved"> {
  const { rows } = await work.sql.query<{ sealed: string }>(`select sealed from offline_grants where ${STILL_OURS} and due_at > $4`, [
    ...ours(grant),
    work.ctx.now(),
  ]);
  if (!rows[0]) return "moved";
  const key = (await personKeys(work, keyRing, [grant.personId])).get(grant.personId);
  if (!key) return { refreshToken: undefined };
  return { refreshToken: open({ current: key, older: [] }, { purpose: purposeOf(grant), sealed: rows[0].sealed }) };
}

/** Notes that the provider has answered: its new refresh token, where it gave one, takes the place of the old. Undefined = it was ours no more. */
export async function noteRefreshed(
  work: Work,
  {
    keyRing,
    grant,
    refreshToken,
    refreshHours,
  }: { keyRing: KeyRing; grant: OfflineGrant; refreshToken: string | undefined; refreshHours: number },
): Promise<OfflineGrant | undefined> {
  const now = work.ctx.now();
  const takenUntil = dueAfter(now, refreshHours);
  const renewed = refreshToken === undefined ? null : await sealed(work, { ...grant, keyRing, refreshToken });
  const { rowCount } = await work.sql.query(
    `update offline_grants set refreshed_at = $4, due_at = $5, failures = 0, sealed = coalesce($6, sealed) where ${STILL_OURS}`,
    [...ours(grant), now, takenUntil, renewed],
  );
  return rowCount === 1 ? { ...grant, takenUntil } : undefined;
}

/** Notes that the provider could not be asked: it is asked again after longer and longer, at most a day. */
export async function noteRefreshFailed({ ctx, sql }: Work, grant: OfflineGrant): Promise<void> {
  const waitMs = Math.min(24 * 3600_000, 15 * 60_000 * 2 ** grant.failures);
  await sql.query(`update offline_grants set due_at = $4, failures = failures + 1 where ${STILL_OURS}`, [
    ...ours(grant),
    new Date(ctx.now().getTime() + waitMs),
  ]);
}

/** Forgets a grant that the provider has ended. False = it was ours no more. */
export async function dropOfflineGrant(sql: Sql, grant: OfflineGrant): Promise<boolean> {
  const { rowCount } = await sql.query(`delete from offline_grants where ${STILL_OURS}`, ours(grant));
  return rowCount === 1;
}

async function sealed(
  work: Work,
  grant: { keyRing: KeyRing; connectionId: number; nativeId: string; personId: string; refreshToken: string },
): Promise<string> {
  const key = (await personKeys(work, grant.keyRing, [grant.personId])).get(grant.personId);
  if (!key) throw new Error(`the key of person ${grant.personId} was just made and is not there`);
  return seal(key, { purpose: purposeOf(grant), plain: grant.refreshToken });
}

function purposeOf({ connectionId, nativeId }: Pick<OfflineGrant, "connectionId" | "nativeId">): string {
  return `offline-grant.${connectionId}.${nativeId}`;
}

function dueAfter(now: Date, hours: number): Date {
  return new Date(now.getTime() + hours * 3600_000);
}
