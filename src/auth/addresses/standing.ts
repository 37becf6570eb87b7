import type { Sql } from "../../db/database.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";

const HOUR_MS = 3_600_000;

/** The change by which somebody's e-mail address came to be what it is, with what bears on whether links may go there. */
export interface AddressChange {
  /** Decimal. */
  id: string;
  at: Date;
  oldAddress: string | null;
  newAddress: string;
  answer: "mine" | "not_mine" | null;
  /** Name of the connection whose word the address is, and when it was last edited; null for what was written here. */
  connection: string | null;
  connectionEditedAt: Date | null;
  /** It was the address before: what had changed it within the waiting time was taken back. */
  isReturn: boolean;
  /** They used a link since that was made after the change, as somebody handed it to them; after their answer, where they gave one. */
  resetSince: boolean;
}

/** An address to which no link to set another password goes. */
export interface UnsettledAddress {
  change: AddressChange;
  /** When links go there, if nobody says otherwise; null after the person has said that it is not theirs. */
  until: Date | null;
}

/** Whether a changed address is still to be waited for; undefined when links may go there. Pure. */
export function unsettled(
  change: AddressChange,
  { now, settings }: { now: Date; settings: SignInSettings["addresses"] },
): UnsettledAddress | undefined {
  if (change.resetSince) return undefined;
  if (change.answer === "not_mine") return { change, until: null };
  const until = new Date(change.at.getTime() + settings.waitHours * HOUR_MS);
  return until <= now || change.answer === "mine" || change.isReturn || isVouched(change, settings) ? undefined : { change, until };
}

/** A connection is believed as long as nobody has just told it what to say. */
function isVouched({ at, connection, connectionEditedAt }: AddressChange, settings: SignInSettings["addresses"]): boolean {
  if (connection === null || !settings.vouchedConnections.includes(connection)) return false;
  return connectionEditedAt !== null && connectionEditedAt.getTime() <= at.getTime() - settings.waitHours * HOUR_MS;
}

const LATEST = `
  select c.id::text, c.at, c.old_address as "oldAddress", c.new_address as "newAddress", c.answer, k.name as connection, k.updated_at as "connectionEditedAt",
    coalesce((select lower(f.old_address) = lower(c.new_address) from address_changes f where f.person_id = c.person_id and f.id < c.id and f.at > $2 order by f.id limit 1), false) as "isReturn",
    exists (select from login_links l where l.person_id = c.person_id and l.created_at > c.at and l.used_at > coalesce(c.answered_at, c.at)) as "resetSince"
  from people p join lateral (select * from address_changes where person_id = p.id order by id desc limit 1) c on true
    left join connections k on k.id = c.connection_id
  where p.id = $1 and lower(c.new_address) = lower(p.email::text)`;

/** Why no link to set another password goes to somebody's e-mail address as it is; undefined when one may. */
export async function unsettledAddress(
  sql: Sql,
  { personId, now, settings }: { personId: string; now: Date; settings: SignInSettings["addresses"] },
): Promise<UnsettledAddress | undefined> {
  const { rows } = await sql.query<AddressChange>(LATEST, [personId, new Date(now.getTime() - settings.waitHours * HOUR_MS)]);
  return rows[0] && unsettled(rows[0], { now, settings });
}
