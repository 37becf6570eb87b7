import { randomUUID } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { newSecret, shortUserAgent, type Federation, type SignInMethod } from "./session.ts";

export interface NewSession {
  personId: string;
  methods: readonly SignInMethod[];
  settings: SignInSettings["session"];
  deviceId?: string | null | undefined;
  address?: string | undefined;
  userAgent?: string | undefined;
  federation?: Federation | undefined;
  /** The caller holds the person's row lock. */
  locked?: boolean;
}

const STANDING = `select p.active and p.state = 'active' and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })} as present,
  array(select s.id::text from sessions s where s.person_id = p.id and s.ended_at is null and s.expires_at > $2 and s.last_seen_at > $3
    order by s.created_at, s.id) as live
  from people p where p.id = $1 and p.state <> 'deleted'`;

/**
 * Starts a session, under the person's row lock: who is not active now gets none, and the limit holds however many sign-ins come
 * at once. Throws `forbidden` for who is not active, whose session at the identity provider is over or, where the settings say so, who
 * holds as many sessions as there may be.
 */
export async function startSession(work: Work, options: NewSession): Promise<{ id: string; secret: string; expiresAt: Date }> {
  const { ctx, sql } = work;
  const { personId, settings } = options;
  const now = ctx.now();
  if (!options.locked) await sql.query("select from people where id = $1 for update", [personId]);
  const idleSince = new Date(now.getTime() - settings.idleMinutes * 60_000);
  const { rows } = await sql.query<{ present: boolean; live: string[] }>(STANDING, [personId, now, idleSince]);
  const { present = false, live = [] } = rows[0] ?? {};
  if (!present) throw notActive();
  const tooMany = live.slice(0, Math.max(0, live.length + 1 - settings.most));
  if (tooMany.length > 0 && settings.beyond === "refuse")
    throw new AppError("forbidden", "You are signed in in as many places as there may be: sign out in one of them first.", {
      field: "sessions",
    });
  if (tooMany.length > 0) await endThese(work, { personId, ids: tooMany, reason: "another sign-in took its place" });
  const { secret, hash } = newSecret();
  const id = randomUUID();
  const expiresAt = endOf(now, options);
  await sql.query(
    `insert into sessions (id, person_id, hash, created_at, last_seen_at, proven_at, expires_at, user_agent, ip, methods, device_id,
       connection_id, federation_subject, federation_session)
     values ($1, $2, $3, $4, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      id,
      personId,
      hash,
      now,
      expiresAt,
      shortUserAgent(options.userAgent),
      options.address ?? null,
      options.methods,
      options.deviceId ?? null,
      options.federation?.connectionId ?? null,
      options.federation?.subject ?? null,
      options.federation?.session ?? null,
    ],
  );
  await recordEvent(work, {
    name: "session.started",
    subjectType: "person",
    subjectId: personId,
    data: { session: id, methods: [...options.methods] },
  });
  return { id, secret, expiresAt };
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
