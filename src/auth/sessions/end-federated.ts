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
  const { count } = await endSessions(work, { connectionId, subject, session, reason: "signed out at the identity provider" });
  return count;
}
