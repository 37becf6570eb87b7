import type { Sql } from "../db/database.ts";
import { withinOwnTime } from "../directory/own-time.ts";
import { AppError } from "../errors.ts";

const PRESENT = `coalesce(p.active and p.state = 'active' and ${withinOwnTime({ person: "p.id", at: "$2::timestamptz" })}, false)`;

const TOKEN = `
  select from tokens t left join people p on p.id = coalesce(t.person_id, t.responsible_id)
  where t.id = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
    and (coalesce(t.person_id, t.responsible_id) is null or ${PRESENT})`;

const SESSION = `
  select from sessions s join people p on p.id = s.person_id
  where s.id = $1 and s.ended_at is null and s.expires_at > $2 and s.last_seen_at + make_interval(mins => $3) > $2 and ${PRESENT}`;

export interface StandingQuestion {
  /** As a caller has it: `token:ID` or `session:ID`. */
  credential: string;
  now: Date;
  /** After how long without a request a session is over. */
  idleMinutes: number;
}

/**
 * Refuses a credential that opens nothing any more, though it did when an answer began that goes on for long. It is only looked at: watching
 * does not count as a use, so that a page that follows something keeps no session from ending. Throws `unauthenticated`.
 */
export async function requireStanding(sql: Sql, { credential, now, idleMinutes }: StandingQuestion): Promise<void> {
  const [kind, id] = credential.split(":", 2);
  const { rowCount } = kind === "session" ? await sql.query(SESSION, [id, now, idleMinutes]) : await sql.query(TOKEN, [id, now]);
  if (rowCount !== 1)
    throw new AppError("unauthenticated", "The credential with which this was asked for was taken back, or has ended.", { field: "token" });
}
