import type { Sql } from "../../db/database.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { SHUT_OUT_SINCE } from "./links.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

interface Pause {
  /** How many links were sent within a day, none of which was used since. */
  sent: number;
  settings: Pick<SignInSettings["links"], "resetEveryMinutes" | "resetHours">;
}

/**
 * For how many minutes after the last link no other is sent, though somebody asks: twice as long each time, and never longer than a link
 * works. So whoever asks has a link that works in their mailbox, and nobody's mailbox is filled for them. Pure.
 */
export function pauseMinutes({ sent, settings: { resetEveryMinutes, resetHours } }: Pause): number {
  return sent === 0 ? 0 : Math.min(resetEveryMinutes * 2 ** Math.min(sent - 1, 20), resetHours * 60);
}

/** Whether it is too early to send somebody another link to set a password. Asked under the person's row lock. */
export async function isPaused(
  sql: Sql,
  { personId, now, settings }: { personId: string; now: Date; settings: Pause["settings"] },
): Promise<boolean> {
  const { rows } = await sql.query<{ sent: number; latest: Date | null }>(
    `select count(*)::int as sent, max(l.created_at) as latest from login_links l
     where l.person_id = $1 and l.purpose = 'reset' and l.delivery = 'sent' and l.created_at > $2
       and not ${SHUT_OUT_SINCE} and not exists (select from login_links u where u.person_id = l.person_id and u.used_at >= l.created_at)`,
    [personId, new Date(now.getTime() - DAY_MS)],
  );
  const { sent = 0, latest = null } = rows[0] ?? {};
  return latest !== null && latest.getTime() + pauseMinutes({ sent, settings }) * MINUTE_MS > now.getTime();
}
