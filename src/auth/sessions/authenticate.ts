import { timingSafeEqual } from "node:crypto";
import type { Sql } from "../../db/database.ts";
import { withinOwnTime } from "../../directory/own-time.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { hashOfSecret, isSecret, READER, type Reader, type Session, type SignInMethod } from "./session.ts";

const SEEN_NOTED_EVERY_MS = 60_000;

interface SessionRow extends Reader {
  id: string;
  personId: string;
  hash: Buffer;
  methods: SignInMethod[];
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
  provenAt: Date | null;
  connectionId: number | null;
  present: boolean | null;
}

const FIND = {
  name: "session-holder",
  text: `select s.id, s.person_id as "personId", s.hash, s.methods, s.created_at as "createdAt", s.last_seen_at as "lastSeenAt",
    s.expires_at as "expiresAt", s.ended_at as "endedAt", s.proven_at as "provenAt", s.connection_id as "connectionId",
    p.active and p.state = 'active' and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })} as present, ${READER}
    from sessions s left join people p on p.id = s.person_id where s.hash = $1`,
};

/**
 * The session whose secret came as a cookie; undefined when it is unknown, has ended, was idle for too long, is past its absolute
 * end, or its person may not be here any more. The database is asked at each request, so that an end acts at once.
 */
export async function authenticateSession(
  sql: Sql,
  { secret, now, settings }: { secret: string | undefined; now: Date; settings: SignInSettings["session"] },
): Promise<Session | undefined> {
  if (!isSecret(secret)) return undefined;
  const hash = hashOfSecret(secret);
  const { rows } = await sql.query<SessionRow>({ ...FIND, values: [hash, now] });
  const [row] = rows;
  if (!row || !timingSafeEqual(row.hash, hash) || row.present !== true || row.endedAt !== null || row.expiresAt <= now) return undefined;
  if (row.lastSeenAt.getTime() + settings.idleMinutes * 60_000 <= now.getTime()) return undefined;
  if (row.lastSeenAt.getTime() + Math.min(SEEN_NOTED_EVERY_MS, settings.idleMinutes * 30_000) <= now.getTime())
    await sql.query("update sessions set last_seen_at = $2 where id = $1 and ended_at is null and last_seen_at < $2", [row.id, now]);
  const { id, personId, methods, createdAt, expiresAt, provenAt, connectionId, language, timeZone } = row;
  return { id, personId, methods, createdAt, expiresAt, provenAt: provenAt ?? createdAt, connectionId, reader: { language, timeZone } };
}

/** Refuses a sensitive action of who has not proven themselves for a while. Throws `forbidden` with the field `step_up`. */
export function requireRecent(session: Pick<Session, "provenAt">, { now, minutes }: { now: Date; minutes: number }): void {
  if (session.provenAt.getTime() + minutes * 60_000 > now.getTime()) return;
  throw new AppError("forbidden", "Prove again that it is you first: this can only be done shortly after signing in.", {
    field: "step_up",
  });
}
