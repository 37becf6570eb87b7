import type { Sql, Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { SignInMethod } from "./session.ts";

/** A live session as its person and administrators see it. */
export interface ListedSession {
  id: string;
  personId: string;
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
  address: string | null;
  userAgent: string | null;
  methods: SignInMethod[];
  /** The identity provider's connection. */
  connection: string | null;
}

const SHOWN = `s.id, s.person_id as "personId", s.created_at as "createdAt", s.last_seen_at as "lastSeenAt", s.expires_at as "expiresAt",
  s.ip as address, s.user_agent as "userAgent", s.methods, c.name as connection
  from sessions s left join connections c on c.id = s.connection_id`;

interface Asked {
  personId: string;
  now: Date;
  settings: Pick<SignInSettings["session"], "idleMinutes">;
}

/** A person's sessions that are alive now, the latest used first. */
export async function listSessions(sql: Sql, { personId, now, settings }: Asked): Promise<ListedSession[]> {
  const { rows } = await sql.query<ListedSession>(
    `select ${SHOWN} where s.person_id = $1 and s.ended_at is null and s.expires_at > $2 and s.last_seen_at > $3
     order by s.last_seen_at desc, s.id`,
    [personId, now, new Date(now.getTime() - settings.idleMinutes * 60_000)],
  );
  return rows;
}

/** One session that has not ended. Throws `not_found`. */
export async function readSession(sql: Sql, id: string): Promise<ListedSession> {
  const { rows } = await sql.query<ListedSession>(`select ${SHOWN} where s.id = $1 and s.ended_at is null`, [id]);
  if (!rows[0]) throw new AppError("not_found", `There is no session ${id}, or it has ended.`, { field: "id" });
  return rows[0];
}

/** Forgets sessions that ended or expired more than 90 days ago, for the daily upkeep; returns how many. */
export async function forgetSessions({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from sessions where least(ended_at, expires_at) < $1", [
    new Date(ctx.now().getTime() - 90 * 86_400_000),
  ]);
  return rowCount ?? 0;
}
