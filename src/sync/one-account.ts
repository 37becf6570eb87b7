import type { AttributeObject, SourceRecord } from "../../connectors/contract.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { applyBatch } from "./apply/batch.ts";
import { requestSource, type Batch } from "./apply/source.ts";
import { decidingFor } from "./begin.ts";
import type { Deciding } from "./decide.ts";
import { fingerprint } from "./fingerprint.ts";
import { knownAccounts } from "./known.ts";
import { noteHeldRequest } from "./one.ts";
import { itemRows } from "./plan.ts";
import { leavingOf, takesNobodysAccess, type Item, type KnownAccount } from "./records.ts";
import { refuseGuarded } from "./request/guard.ts";
import { keepingSteered, lockWhereSteering } from "./request/keep-administrator.ts";
import { decideRecords } from "./stage.ts";

export interface OneAccount {
  connection: LoadedConnection;
  keyRing: KeyRing;
  /** The account's id in its own system. */
  nativeId: string;
  /** What that system says of it. */
  attributes: AttributeObject;
  /** Whether somebody whom nobody matches may become a person; the connection's mapping must allow it, too. */
  create: boolean;
  /** Whether the account may be tied to the person whom it matches; the connection's mapping must allow it, too. */
  link: boolean;
  /** Whether that person's e-mail address is believed to be theirs; where it is not, accounts don't find them by it. Always when absent. */
  holdsAddress?: (work: Work, personId: string) => Promise<boolean>;
}

export type AccountOutcome =
  /** `kept`: what is said anew would leave the organisation without an administrator, so that it waits, and everything stays as it was. */
  | { outcome: "unchanged" | "updated" | "linked" | "created" | "kept"; personId: string }
  /** Nobody is signed in by it. `unmatched` and `disputed` accounts are kept, so that an administrator can settle them. */
  | { outcome: "unmatched" | "disputed" | "left" | "refused"; personId: string | null; reason: string }
  /** The address by which the account would find its person has just become theirs: it does later, and nothing is kept of it now. */
  | { outcome: "new_address"; personId: string; reason: string };

/**
 * Takes one account, as its system has just described it, through the stages of a sync: scope, match, map, decide, guard, apply.
 * In the caller's transaction, under row locks, without run or plan. Whoever is known by the account is told from its native id alone.
 * Throws `held` when a guard trips: then the caller rolls back, and nothing was changed.
 */
export async function syncAccount(work: Work, options: OneAccount): Promise<AccountOutcome> {
  const { connection, nativeId } = options;
  await awaitAdministrators(work, { connectionId: connection.id, nativeId });
  await oneAtATime(work, { connectionId: connection.id, nativeId });
  const known = (await knownAccounts(work.sql, { connectionId: connection.id, kind: "user", nativeIds: [nativeId], lock: true })).get(
    nativeId,
  );
  const record: SourceRecord = { kind: "user", nativeId, reference: nativeId, attributes: options.attributes };
  const hash = fingerprint(record).toString("hex");
  if (known?.subjectId && isSame(known, { hash, mappingVersion: connection.mappingVersion }))
    return { outcome: "unchanged", personId: known.subjectId };
  const deciding = await decidingFor(work.sql, connection);
  const decide = async (allowed: Deciding) =>
    decideRecords(work.sql, {
      deciding: allowed,
      changed: [{ record, hash }],
      seenAt: work.ctx.now(),
      lock: true,
      sealing: { ctx: work.ctx, keyRing: options.keyRing },
    });
  const { items, problems } = await decide(restricted(deciding, options));
  const [item] = items;
  if (item?.action === "link" && item.subjectId !== null && !((await options.holdsAddress?.(work, item.subjectId)) ?? true)) {
    const [otherwise] = (await decide(withoutAddresses(restricted(deciding, { ...options, create: false })))).items;
    if (otherwise?.action !== "link" || otherwise.subjectId !== item.subjectId)
      return { outcome: "new_address", personId: item.subjectId, reason: "the person's e-mail address is new, and is waited for" };
  }
  if (!item) return { outcome: "refused", personId: known?.subjectId ?? null, reason: problems[0]?.message ?? "nothing to do" };
  return applyOne(work, { connection, item });
}

/** Administrators are locked before accounts and people. */
async function awaitAdministrators(work: Work, { connectionId, nativeId }: { connectionId: number; nativeId: string }): Promise<void> {
  const { rows } = await work.sql.query<{ personId: string }>(
    `select person_id as "personId" from accounts where connection_id = $1 and kind = 'user' and native_id = $2 and person_id is not null`,
    [connectionId, nativeId],
  );
  if (rows.length > 0) await lockWhereSteering(work, { personIds: rows.map(({ personId }) => personId) });
}

/** Two first sign-ins of one account at once would both make a person. */
async function oneAtATime({ sql }: Work, { connectionId, nativeId }: { connectionId: number; nativeId: string }): Promise<void> {
  await sql.query("select pg_advisory_xact_lock(hashtextextended('account ' || $1::text || ' ' || $2::text, 0))", [connectionId, nativeId]);
}

function isSame(known: KnownAccount, { hash, mappingVersion }: { hash: string; mappingVersion: number }): boolean {
  return known.situation === "linked" && !known.gone && known.hash === hash && known.mappingVersion === mappingVersion;
}

function restricted(deciding: Deciding, { create, link }: Pick<OneAccount, "create" | "link">): Deciding {
  const { situations } = deciding.mapping;
  return {
    ...deciding,
    mapping: {
      ...deciding.mapping,
      situations: {
        ...situations,
        unmatched: create ? situations.unmatched : "ignore",
        unlinked: link ? situations.unlinked : "dispute",
      },
    },
  };
}

function withoutAddresses(deciding: Deciding): Deciding {
  const { mapping } = deciding;
  return { ...deciding, mapping: { ...mapping, match: mapping.match.filter((key) => key !== "emails") } };
}

/**
 * `kept` where the last administrator's rights would go with what their provider says of them now: they are still let in, because nobody
 * else could make another administrator. Throws `held` where it says that they are gone.
 */
async function applyOne(work: Work, { connection, item }: { connection: LoadedConnection; item: Item }): Promise<AccountOutcome> {
  const { action } = item;
  const leaving = leavingOf(item);
  if (leaving) await refuseGuarded(work.sql, { ctx: work.ctx, connection, action: leaving, rest: takesNobodysAccess(item) });
  const batch: Batch = {
    work,
    connection: { id: connection.id, name: connection.name, mappingVersion: connection.mappingVersion },
    source: requestSource({ kind: "user", rows: itemRows([item]) }),
  };
  await work.sql.query("savepoint account");
  try {
    await keepingSteered(work, { connection, personIds: item.subjectId === null ? [] : [item.subjectId] }, () => applyBatch(batch));
  } catch (error) {
    if (action !== "update" || item.subjectId === null || !(error instanceof AppError) || error.code !== "held") throw error;
    await work.sql.query("rollback to savepoint account");
    await noteHeldRequest(work, { connection, error });
    return { outcome: "kept", personId: item.subjectId };
  }
  return outcomeOf(item);
}

const SIGNED_IN = { create: "created", link: "linked", update: "updated", enable: "updated", disable: "updated" } as const;
const SET_ASIDE = { ignore: "unmatched", dispute: "disputed", delete: "left" } as const;

function outcomeOf({ action, subjectId, reason }: Item): AccountOutcome {
  if (action === "ignore" || action === "dispute" || action === "delete")
    return { outcome: SET_ASIDE[action], personId: subjectId, reason };
  if (subjectId === null) return { outcome: "refused", personId: null, reason };
  return { outcome: SIGNED_IN[action], personId: subjectId };
}
