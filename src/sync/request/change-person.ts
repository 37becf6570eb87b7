import type { AttributeObject, SourceRecord } from "../../../connectors/contract.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { SharedAnswers } from "../../db/shared-answers.ts";
import { transferIn } from "../../directory/attributes.ts";
import { newPersonKey, openPersonKey } from "../../directory/personal.ts";
import { decideUser } from "../decide.ts";
import { fingerprint } from "../fingerprint.ts";
import type { Item, ItemPayload } from "../records.ts";
import { sealedChange } from "../seal-changes.ts";
import { mapUser } from "../stage.ts";
import type { RequestConnection } from "./connection.ts";
import { refuseGuarded, type GuardCounts, type CountedLately } from "./guard.ts";
import type { Gathering } from "./gathering.ts";
import type { Standing } from "./standing.ts";
import { storeChange, type ChangeRecord, type PersonChange, type StoredChange } from "./store-change.ts";

export interface ChangePersonOptions {
  ctx: Context;
  /** For the guard, which is asked before anything is written. */
  sql: Sql;
  counts?: SharedAnswers<GuardCounts> | undefined;
  lately?: Map<number, CountedLately> | undefined;
  store: Gathering<ChangeRecord, StoredChange | undefined>;
  keyRing: KeyRing;
  known: RequestConnection;
  standing: Standing;
  /** The whole resource as it is to be, without id and meta. */
  resource: AttributeObject;
}

/** Somebody as they are after a change. */
export interface ChangedPerson extends StoredChange {
  at: Date;
  active: boolean;
  version: number;
  accountVersion: number;
}

/**
 * Changes somebody with one statement, decided on what a look found and refused when that has moved since. `general`: there is
 * more to it than one statement does (other origins, units, transfers, rules with conditions, blocks of others), and nothing was written;
 * `moved`: nothing was written either, somebody else was faster (look again) or an administrator would leave. Throws `held` when a guard trips, before anything is written.
 */
export async function changePerson(options: ChangePersonOptions): Promise<ChangedPerson | "general" | "moved"> {
  const { standing, known, resource } = options;
  if (
    standing.shared ||
    standing.conditions ||
    known.deciding.mapping.kinds.user?.transfers ||
    transferIn(standing.account.attributes) ||
    transferIn(resource) ||
    standing.account.mappingVersion !== known.connection.mappingVersion
  )
    return "general";
  const change = decideChange(options);
  if (!change) return "general";
  if (change.block === "raise") await refuseGuarded(options.sql, { ...options, connection: known.connection, action: "disable" });
  const stored = await storeChange(options, change);
  if (typeof stored === "string") return stored;
  return {
    ...stored,
    at: change.at,
    active: change.block === undefined ? standing.active : change.block === "lift",
    version: standing.person.version + 1,
    accountVersion: standing.account.version + 1,
  };
}

function decideChange(options: ChangePersonOptions): PersonChange | undefined {
  const { ctx, keyRing, known, standing, resource } = options;
  const at = ctx.now();
  const { id } = standing.person;
  const record: SourceRecord = { kind: "user", nativeId: id, reference: id, attributes: resource };
  const { contribution, inScope } = mapUser(known.deciding, record);
  if (!inScope) return undefined;
  const item = decideUser(known.deciding, {
    record,
    hash: fingerprint(record).toString("hex"),
    contribution,
    inScope,
    known: standing.account,
    match: undefined,
    person: standing.person,
    newPersonId: id,
    seenAt: at,
  });
  const { account, person, units, employment } = item?.payload ?? {};
  const block = item && blockOf(item, standing);
  if (!item || !account || units || employment || block === "other") return undefined;
  return {
    at,
    reason: item.reason,
    account,
    person,
    manager: person && managerChanges(options, person) ? person.manager : undefined,
    block,
    ...(person && person.changed.length > 0 ? sealedWith(keyRing, { standing, person }) : {}),
  };
}

/** One block of this connection's own, raised where none stands or lifted where no other does: all else takes the general way. */
function blockOf({ payload: { blocks = [] } }: Item, standing: Standing): "raise" | "lift" | "other" | undefined {
  const [block, another] = blocks;
  if (!block) return undefined;
  const own = block.connectionId === standing.connection.id;
  if (another || !own) return "other";
  if (block.op === "raise") return standing.blocks.length === 0 && block.effect === "suspended" && standing.active ? "raise" : "other";
  return standing.blocks.length === 1 && !standing.active ? "lift" : "other";
}

/** What the record said of a manager before is mapped again: it is not stored. */
function managerChanges({ known, standing }: ChangePersonOptions, person: NonNullable<ItemPayload["person"]>): boolean {
  const before = known.deciding.mapping.kinds.user?.map(standing.account.attributes)["manager"];
  return (typeof before === "string" ? before : undefined) !== person.manager?.reference;
}

function sealedWith(
  keyRing: KeyRing,
  { standing, person }: { standing: Standing; person: NonNullable<ItemPayload["person"]> },
): Pick<PersonChange, "sealed" | "newKey"> {
  const { wrapped, person: before } = standing;
  if (wrapped !== null) return { sealed: sealedChange(openPersonKey(keyRing, { personId: before.id, wrapped }), { before, person }) };
  const made = newPersonKey(keyRing, before.id);
  return { sealed: sealedChange(made.key, { before, person }), newKey: made.wrapped };
}
