import type { Work } from "../../db/database.ts";
import { endSessions } from "./end.ts";

/** Whom a provider has signed out: all sessions of somebody, one session there, or what both name. */
export interface SignedOutThere {
  connectionId: number;
  subject: string | undefined;
  session: string | undefined;
}

/** Ends what a provider's sign-ins have begun here: sessions, and sign-ins that still wait for a second factor. Returns how many sessions. */
export async function endFederated(work: Work, { connectionId, subject, session }: SignedOutThere): Promise<number> {
  if (subject === undefined && session === undefined) return 0;
  await work.sql.query(
    `update sign_ins set ended_at = $1, state = '{}' where ended_at is null and connection_id = $2
       and ($3::text is null or federation_subject = $3) and ($4::text is null or federation_session = $4)`,
    [work.ctx.now(), connectionId, subject ?? null, session ?? null],
  );
  const { count } = await endSessions(work, { connectionId, subject, session, reason: "signed out at the identity provider" });
  return count;
}
