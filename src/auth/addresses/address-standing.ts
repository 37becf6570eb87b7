import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { undeliverableEmail, type Undeliverable } from "../../directory/undeliverable.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { unsettledAddress } from "./standing.ts";

/** What administrators see of somebody's e-mail address; never the address. */
export interface AddressStanding {
  /** `waiting`: it is new. `denied`: the person said that it is not theirs. */
  state: "none" | "good" | "waiting" | "denied";
  /** Of one that is waited for: when links go there. */
  until: Date | null;
  /** The mail server refused it for good. */
  undeliverable: Undeliverable | null;
}

/** Whether links may be sent to somebody's e-mail address, and whether they come. */
export async function addressStanding(
  sql: Sql,
  { personId, keyRing, now, settings }: { personId: string; keyRing: KeyRing; now: Date; settings: SignInSettings["addresses"] },
): Promise<AddressStanding> {
  const { rowCount } = await sql.query("select from people where id = $1 and email is not null", [personId]);
  const waiting = await unsettledAddress(sql, { personId, now, settings });
  return {
    state: !rowCount ? "none" : waiting === undefined ? "good" : waiting.until === null ? "denied" : "waiting",
    until: waiting?.until ?? null,
    undeliverable: (await undeliverableEmail(sql, { personId, keyRing })) ?? null,
  };
}
