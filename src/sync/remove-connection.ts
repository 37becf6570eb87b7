import type { Kind, SourceRecord } from "../../connectors/contract.ts";
import { keepingAnAdministrator } from "../access/last-administrator.ts";
import { lockRules } from "../access/rule-lock.ts";
import { loadConnection, type LoadedConnection } from "../connections/open.ts";
import { removeConnection } from "../connections/store.ts";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { applyBatch } from "./apply/batch.ts";
import { requestSource } from "./apply/source.ts";
import { decidingFor } from "./begin.ts";
import { decideLeaver, heirsOf, type Deciding } from "./decide.ts";
import { decideGroup, decideUnit } from "./decide-collection.ts";
import { forgetConnection } from "./forget-connection.ts";
import { guardFacts, judge } from "./guard.ts";
import { settleHandOver } from "./hand-over.ts";
import { knownAccounts, knownPeople } from "./known.ts";
import { followPeople } from "./local-people.ts";
import { lockForTransaction } from "./lock.ts";
import { compileOtherMapping } from "./mapping.ts";
import { itemRows } from "./plan.ts";
import type { Item, KnownAccount, KnownPerson } from "./records.ts";
import { sealChanges } from "./seal-changes.ts";
import { newId } from "./stage.ts";

export interface LetGoOptions {
  keyRing: KeyRing;
  /** The connection's name. */
  name: string;
  /** The number of people whom this leaves without an origin, said by whoever means it: it lifts the guard. */
  leaving?: number;
  /** Decide only: nothing is changed. */
  preview?: boolean;
}

/** What becomes of those whom a removed connection lists. */
export interface LetGo {
  /** Other origins list them, and master what it did. */
  handedOver: number;
  /** Nobody else lists them: they leave as the mapping says (`situations.removed`, else `situations.deleted`). */
  leaving: number;
  /** Of those handed over, whom their other origins have as not active. */
  disabled: number;
  /** Of those handed over, whose "not active" is lifted, since their other origins have them as active. */
  enabled: number;
  groups: number;
  units: number;
}

const AT_ONCE = 500;

/**
 * Removes a connection with all that it brought, in the caller's transaction: what it mastered goes over to the next origin of
 * each person, and so does the word on who is active; people without another leave; its groups are emptied and go, and so do units on
 * which nobody stands. Throws `not_found`; `busy` while a run of it is under way; `conflict` when it is a target that holds
 * accounts, and when nobody would be left who steers the organisation; `held` when more would leave than its limits allow and `leaving` does not say so: then the caller rolls back.
 */
export async function letGoConnection(work: Work, { keyRing, name, leaving, preview = false }: LetGoOptions): Promise<LetGo> {
  const { sql } = work;
  const connection = await loadConnection(sql, keyRing, name);
  await lockForTransaction(sql, { connectionId: connection.id, name });
  await refuseTarget(sql, connection);
  // Counted before anything is applied: the limits are shares of who is linked now.
  const facts = await guardFacts(sql, { planId: 0, connectionId: connection.id, limits: connection.limits, now: work.ctx.now() });
  const refused = (message: string) => new AppError("conflict", `${name}: ${message} Nothing was changed.`, { field: "connection" });
  const act = async () => {
    if (preview) return letGo(work, { keyRing, connection, preview });
    await lockRules(sql, "shared");
    const result = await letGo(work, { keyRing, connection, preview });
    // Rules and scopes may ask where somebody comes from: what they gave was decided while that was the connection that goes.
    await followPeople(work, await forgetConnection(sql, connection.id));
    return result;
  };
  const decided = await (preview ? act() : keepingAnAdministrator(work, act, { refused }));
  if (preview) return decided;
  const tripped = judge(
    { ...facts, disables: decided.disabled, deletes: decided.leaving, reads: [], scopeChanged: false },
    connection.limits,
  );
  if (tripped.length > 0 && leaving !== decided.leaving)
    throw new AppError(
      "held",
      `Removing ${name} leaves ${decided.leaving} people without an origin (${tripped.map(({ message }) => message).join("; ")}). Nothing was changed. If that is meant, say so: --leaving ${decided.leaving}.`,
      { field: "leaving" },
    );
  await removeConnection(work, { name });
  return decided;
}

async function refuseTarget(sql: Sql, { id, name, policy }: LoadedConnection): Promise<void> {
  if (!policy.provision) return;
  const { rows } = await sql.query<{ count: number }>("select count(*)::int as count from projections where connection_id = $1", [id]);
  const count = rows[0]?.count ?? 0;
  if (count > 0)
    throw new AppError(
      "conflict",
      `The connection "${name}" keeps ${count} accounts and groups at the other side; they would be left without anyone to answer for them. Take \`policy.provision\` out of its definition first, once they are gone there.`,
      { field: "connection" },
    );
}

interface Removing {
  keyRing: KeyRing;
  connection: LoadedConnection;
  preview: boolean;
}

/** People first: what their other origins say of them does not depend on the groups and units that go. */
async function letGo(work: Work, options: Removing): Promise<LetGo> {
  const result = { handedOver: 0, leaving: 0, disabled: 0, enabled: 0, groups: 0, units: 0 };
  const deciding = await removedDeciding(work.sql, options.connection);
  for (const kind of ["user", "group", "unit"] as const) {
    for (let after = 0; ;) {
      const page = await liveAccounts(work.sql, { connectionId: options.connection.id, kind, after });
      const last = page.at(-1);
      if (!last) break;
      after = last.id;
      const nativeIds = page.map(({ nativeId }) => nativeId);
      const known = await knownAccounts(work.sql, { connectionId: options.connection.id, kind, nativeIds, lock: true });
      const leaving = kind === "user" ? await leavers(work, { ...options, deciding, known }) : undefined;
      const items = leaving?.items ?? (kind === "user" ? [] : collections(work, { deciding, kind, known }));
      if (leaving) tally(result, leaving);
      else if (kind !== "user") result[`${kind}s`] += items.length;
      if (!options.preview)
        await applyBatch({
          work,
          source: requestSource({ kind, rows: itemRows(items) }),
          connection: { id: options.connection.id, name: options.connection.name, mappingVersion: options.connection.mappingVersion },
        });
    }
  }
  return result;
}

async function removedDeciding(sql: Sql, connection: LoadedConnection): Promise<Deciding> {
  // Nothing of it is mapped any more: what does not compile must not keep it here for good.
  const deciding = await decidingFor(sql, connection, { compile: compileOtherMapping });
  const { situations } = deciding.mapping;
  return {
    ...deciding,
    mapping: { ...deciding.mapping, situations: { ...situations, deleted: situations.removed ?? situations.deleted } },
  };
}

async function liveAccounts(
  sql: Sql,
  { connectionId, kind, after }: { connectionId: number; kind: Kind; after: number },
): Promise<{ id: number; nativeId: string }[]> {
  const { rows } = await sql.query<{ id: number; nativeId: string }>(
    `select id, native_id as "nativeId" from accounts where connection_id = $1 and kind = $2 and situation = 'linked' and gone_at is null and id > $3 order by id limit ${AT_ONCE}`,
    [connectionId, kind, after],
  );
  return rows;
}

interface Leavers {
  items: Item[];
  /** Native ids of those whom nobody else lists. */
  heirless: ReadonlySet<string>;
}

async function leavers(
  work: Work,
  { keyRing, connection, deciding, known, preview }: Removing & { deciding: Deciding; known: ReadonlyMap<string, KnownAccount> },
): Promise<Leavers> {
  const { ctx, sql } = work;
  const personIds = [...known.values()].flatMap(({ subjectId }) => subjectId ?? []);
  const people = new Map(
    [...(await knownPeople(sql, personIds, { lock: true }))].map(([id, person]): [string, KnownPerson] => [
      id,
      withoutOrigin(person, connection.id),
    ]),
  );
  const items = [...known.values()].map((account) =>
    decideLeaver(deciding, {
      record: goneRecord("user", account),
      known: account,
      person: people.get(account.subjectId ?? ""),
      seenAt: ctx.now(),
      why: `${connection.name} was removed`,
    }),
  );
  const heirless = new Set(
    [...known.values()]
      .filter((account) => heirsOf(deciding, { person: people.get(account.subjectId ?? ""), known: account }).length === 0)
      .map(({ nativeId }) => nativeId),
  );
  if (!preview) {
    await settleHandOver(sql, { connectionId: connection.id, items, people });
    await sealChanges(sql, { sealing: { ctx, keyRing }, items, people });
  }
  return { items, heirless };
}

function collections(
  { ctx }: Work,
  { deciding, kind, known }: { deciding: Deciding; kind: "group" | "unit"; known: ReadonlyMap<string, KnownAccount> },
): Item[] {
  const decide = kind === "group" ? decideGroup : decideUnit;
  return [...known.values()].flatMap(
    (account) =>
      decide(deciding, { record: goneRecord(kind, account), hash: "", known: account, newId: newId(ctx.now()), seenAt: ctx.now() }) ?? [],
  );
}

function goneRecord(kind: Kind, { nativeId }: KnownAccount): SourceRecord {
  return { kind, nativeId, attributes: {}, deleted: true };
}

/** Somebody may have several accounts in one system: all of them go. */
function withoutOrigin(person: KnownPerson, connectionId: number): KnownPerson {
  return { ...person, origins: person.origins.filter((origin) => origin.connectionId !== connectionId) };
}

function tally(result: LetGo, { items, heirless }: Leavers): void {
  result.leaving += heirless.size;
  result.handedOver += items.length - heirless.size;
  for (const { nativeId, payload } of items) {
    if (heirless.has(nativeId)) continue;
    const ops = new Set(payload.blocks?.map(({ op }) => op));
    if (ops.has("raise")) result.disabled += 1;
    else if (ops.has("lift")) result.enabled += 1;
  }
}
