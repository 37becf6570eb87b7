import { Fault, type TargetAccount } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { Projection } from "./row.ts";

/** Somebody else's projection that is linked to what was found at the target. */
export interface Holder {
  /** What it is to be is still on its way there: another name, perhaps, or its end. */
  changing: boolean;
}

/** Two who wait for each other's name would for ever: after so many tries that only waited, some minutes, somebody has to settle it. */
const PATIENCE = 8;
const WAITS = "which is about to change.";

/** The target has answered: it is somebody's name that is waited for. */
export class AwaitedName extends Fault {}

/** The target itself, and the others that write the same application. */
const OF_APPLICATION = `array(select c.id from connections own
  join connections c on c.id = own.id
    or (c.enabled and c.connector = own.connector and rtrim(c.settings ->> 'url', '/') = rtrim(own.settings ->> 'url', '/')) where own.id = $1)`;

/** Who else has this account or group, by this target or by another of the same application; undefined when nobody has. */
export async function holderOf(sql: Sql, { row, nativeId }: { row: Projection; nativeId: string }): Promise<Holder | undefined> {
  const { rows } = await sql.query<Holder>(
    // Tries that failed because the target was away say nothing of whether it will change.
    `select (dirty_at is not null or state in ('waiting', 'retrying'))
         and not (attempts >= $5 and (select count(*) filter (where right(message, length($6)) = $6) = $5
           from (select message from deliveries d where d.projection_id = p.id order by id desc limit $5) latest)) as changing
     from projections p where connection_id = any(${OF_APPLICATION}) and native_id = $2 and kind = $3 and id <> $4
       and (connection_id = $1 or coalesce(person_id, group_id) <> $7) limit 1`,
    [row.connectionId, nativeId, row.kind, row.id, PATIENCE, WAITS, row.personId ?? row.groupId],
  );
  return rows[0];
}

export interface HeldOptions {
  kind: "user" | "group";
  holderOf: (nativeId: string) => Promise<Holder | undefined>;
  /** Asks the target again who has the name, as it was asked when that one was found. */
  look: () => Promise<TargetAccount | undefined>;
}

/** Refuses what was found when it is somebody else's: a transient Fault while they may give up the name by themselves, a rejected one otherwise. */
export async function refuseHeld({ nativeId }: TargetAccount, { kind, holderOf: holder, look }: HeldOptions): Promise<void> {
  const held = await holder(nativeId);
  if (!held) return;
  // Who was about to change when it was found may be through since.
  const changing = held.changing || (await look())?.nativeId !== nativeId;
  throw heldByAnother({ kind, nativeId, changing });
}

/**
 * Gives something that is there a name. When the target says that it is taken, it may have been free again before we look, or be so soon,
 * which is a transient Fault.
 */
export async function named(call: () => Promise<void>, { own, ...held }: HeldOptions & { own: string }): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isTaken(error)) throw error;
    const found = await held.look();
    // Nobody else is in the way any more.
    if (!found || found.nativeId === own) return call();
    await refuseHeld(found, held);
    throw error;
  }
}

/** The target says that the name is somebody's already. */
export function isTaken(error: unknown): error is Fault {
  return error instanceof Fault && error.kind === "exists";
}

const WORDS = {
  user: { one: "account", matches: "matches this person", another: "another person" },
  group: { one: "group", matches: "has this name", another: "another group" },
} as const;

function heldByAnother({ kind, nativeId, changing }: Holder & { kind: HeldOptions["kind"]; nativeId: string }): Fault {
  const { one, matches, another } = WORDS[kind];
  return changing
    ? new AwaitedName("transient", `The ${one} ${nativeId} at the target ${matches}, and belongs to ${another}, ${WAITS}`)
    : new Fault(
        "rejected",
        `The ${one} ${nativeId} at the target ${matches}, but belongs to ${another} already. Settle which of the two it is, then retry.`,
      );
}
