import { randomUUID } from "node:crypto";
import { EVENTS } from "../../audit/catalogue.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { networkOf } from "../network.ts";
import { hashOfSecret, newSecret, shortUserAgent, type Federation, type SignInMethod } from "./session.ts";

export interface NewSession {
  personId: string;
  methods: readonly SignInMethod[];
  settings: SignInSettings["session"];
  /** Secret of the browser's device cookie: that it was seen is noted. */
  device?: string | undefined;
  address?: string | undefined;
  userAgent?: string | undefined;
  federation?: Federation | undefined;
  /** What was found under the person's row lock, which the caller holds. */
  standing?: SessionStanding;
}

/** What bears on whether somebody may have another session. */
export interface SessionStanding {
  /** Active, and within their own time. */
  present: boolean;
  /** Ids of the sessions that are alive, the oldest first. */
  live: readonly string[];
}

/** Columns of `people p` that are a SessionStanding; the parameters name an instant, and that since which a session was not idle for too long. */
export const sessionStanding = ({ at, idleSince }: { at: string; idleSince: string }) =>
  `p.active and p.state = 'active' and ${withinOwnTime({ person: "p.id", at })} as present,
  array(select s.id::text from sessions s where s.person_id = p.id and s.ended_at is null and s.expires_at > ${at} and s.last_seen_at > ${idleSince}
    order by s.created_at, s.id) as live`;

const STANDING = `select ${sessionStanding({ at: "$2::timestamptz", idleSince: "$3::timestamptz" })} from people p where p.id = $1 and p.state <> 'deleted'`;

/** Since when a session was not idle for too long. Pure. */
export function idleSinceOf(now: Date, { idleMinutes }: Pick<SignInSettings["session"], "idleMinutes">): Date {
  return new Date(now.getTime() - idleMinutes * 60_000);
}

/** Of a sign-in's browser. `isFirst`: the person's first ever; `isNew`: they have not come from this one before. */
export interface SeenDevice {
  isNew: boolean;
  isFirst: boolean;
}

export interface StartedSession {
  id: string;
  secret: string;
  expiresAt: Date;
  device: SeenDevice | undefined;
}

/**
 * Starts a session, under the person's row lock: who is not active now gets none, and the limit holds however many sign-ins come
 * at once. Throws `forbidden` for who is not active, whose session at the identity provider is over or, where the settings say so, who
 * holds as many sessions as there may be.
 */
export async function startSession(work: Work, options: NewSession): Promise<StartedSession> {
  const { personId, settings } = options;
  const now = work.ctx.now();
  const { present, live } = options.standing ?? (await lockedStanding(work, options));
  if (!present) throw notActive();
  const tooMany = live.slice(0, Math.max(0, live.length + 1 - settings.most));
  if (tooMany.length > 0 && settings.beyond === "refuse")
    throw new AppError("forbidden", "You are signed in in as many places as there may be: sign out in one of them first.", {
      field: "sessions",
    });
  if (tooMany.length > 0) await endThese(work, { personId, ids: tooMany, reason: "another sign-in took its place" });
  return store(work, { ...options, expiresAt: endOf(now, options) });
}

async function lockedStanding({ ctx, sql }: Work, { personId, settings }: NewSession): Promise<SessionStanding> {
  const now = ctx.now();
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rows } = await sql.query<SessionStanding>({
    name: "session-standing",
    text: STANDING,
    values: [personId, now, idleSinceOf(now, settings)],
  });
  return rows[0] ?? { present: false, live: [] };
}

const DEVICE = `device as (insert into sign_in_devices as d (id, person_id, hash, first_seen_at, last_seen_at, user_agent, network)
    select $14::uuid, $2, $15, $4, $4, $6, $16 where $15::bytea is not null
    on conflict (person_id, hash) do update set last_seen_at = excluded.last_seen_at, user_agent = excluded.user_agent, network = excluded.network
    returning d.id, d.id = $14::uuid as "isNew", not exists (select from sign_in_devices other where other.person_id = $2 and other.id <> d.id) as "isFirst")`;

const STORE = `with ${DEVICE},
  session as (insert into sessions (id, person_id, hash, created_at, last_seen_at, proven_at, expires_at, user_agent, ip, methods, device_id,
      connection_id, federation_subject, federation_session)
    values ($1::uuid, $2::uuid, $3, $4::timestamptz, $4, $4, $5, $6::text, $7, $8, (select id from device), $9, $10, $11)),
  recorded as (insert into audit_events (at, name, actor, subject_type, subject_id, correlation_id, data)
    values ($4, 'session.started', $12, 'person', $2::text, $13, $17::jsonb))
  select "isNew", "isFirst" from device`;

/** The browser, the session and its event, in one statement. */
async function store({ ctx, sql }: Work, options: NewSession & { expiresAt: Date }): Promise<StartedSession> {
  const { personId, expiresAt, device, federation, methods } = options;
  const { secret, hash } = newSecret();
  const id = randomUUID();
  const { rows } = await sql.query<SeenDevice>({
    name: "session-store",
    text: STORE,
    values: [
      id,
      personId,
      hash,
      ctx.now(),
      expiresAt,
      shortUserAgent(options.userAgent),
      options.address ?? null,
      methods,
      federation?.connectionId ?? null,
      federation?.subject ?? null,
      federation?.session ?? null,
      ctx.actor,
      ctx.correlationId,
      randomUUID(),
      device === undefined ? null : hashOfSecret(device),
      networkOf(options.address),
      JSON.stringify(EVENTS["session.started"].parse({ session: id, methods: [...methods] })),
    ],
  });
  return { id, secret, expiresAt, device: rows[0] };
}

/** The absolute limit, or the end of the session at the identity provider where that comes first. */
function endOf(now: Date, { settings, federation }: Pick<NewSession, "settings" | "federation">): Date {
  const limit = now.getTime() + settings.absoluteMinutes * 60_000;
  const there = federation?.until?.getTime() ?? limit;
  if (there <= now.getTime())
    throw new AppError("forbidden", "Your sign-in at the identity provider is over: begin again.", { field: "sign_in" });
  return new Date(Math.min(limit, there));
}

/** The text is that of a wrong password where it is shown before somebody proved who they are. */
function notActive(): AppError {
  return new AppError("forbidden", "This account can't sign in at the moment: ask an administrator.", { field: "person" });
}

async function endThese(
  work: Work,
  { personId, ids, reason }: { personId: string; ids: readonly string[]; reason: string },
): Promise<void> {
  await work.sql.query("update sessions set ended_at = $2, ended_reason = $3 where id = any($1::uuid[]) and ended_at is null", [
    ids,
    work.ctx.now(),
    reason,
  ]);
  await recordEvent(work, { name: "session.ended", subjectType: "person", subjectId: personId, reason, data: { count: ids.length } });
}
