import type { AttributeObject, Kind } from "../../connectors/contract.ts";
import { keepingAdministratorsAmong } from "../access/last-administrator.ts";
import { recordEvent } from "../audit/record.ts";
import { loadConnection } from "../connections/open.ts";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { applyBatch } from "./apply/batch.ts";
import { requestSource } from "./apply/source.ts";
import { decidingFor } from "./begin.ts";
import { decideUser } from "./decide.ts";
import { knownAccounts } from "./known.ts";
import { itemRows } from "./plan.ts";
import { decideRecords, newId } from "./stage.ts";

export interface AccountRow {
  id: number;
  connection: string;
  kind: Kind;
  nativeId: string;
  reference: string | null;
  situation: string;
  person: string | null;
  /** People between whom a human has to choose, by login name. */
  candidates: { id: string; userName: string }[];
  seenAt: Date;
}

export interface ListAccountsOptions {
  situation?: string;
  connection?: string;
  kind?: Kind;
  /** 100 when absent. */
  limit?: number;
  /** Ids above this one. */
  after?: number;
}

/** Accounts in id order; with `situation: "disputed"`, what waits for a human. */
export async function listAccounts(sql: Sql, options: ListAccountsOptions = {}): Promise<AccountRow[]> {
  const { rows } = await sql.query<AccountRow>(
    `select a.id, c.name as connection, a.kind, a.native_id as "nativeId", a.reference, a.situation, p.user_name as person, a.changed_at as "seenAt",
        coalesce((select jsonb_agg(jsonb_build_object('id', x.id, 'userName', x.user_name) order by x.user_name) from people x where a.candidates ? x.id::text), '[]') as candidates
      from accounts a join connections c on c.id = a.connection_id left join people p on p.id = a.person_id
     where ($1::text is null or a.situation = $1) and ($2::text is null or c.name = $2) and ($3::text is null or a.kind = $3) and a.id > $4
     order by a.id limit $5`,
    [options.situation ?? null, options.connection ?? null, options.kind ?? null, options.after ?? 0, options.limit ?? 100],
  );
  return rows;
}

export interface LinkOptions {
  keyRing: KeyRing;
  accountId: number;
  /** The person's id; `new` makes one of this account. */
  person: string;
}

/**
 * A human settles whose account this is; the choice survives later runs. What the account says flows into the person at
 * once, through the same stages as in a run. Throws `not_found`; `conflict` when the account is settled already, gone or out of scope, what it
 * says clashes, or it takes the last administrator away.
 */
export function linkAccount(work: Work, options: LinkOptions): Promise<{ personId: string }> {
  return keepingAdministratorsAmong(work, options.person === "new" ? [] : [options.person], () => link(work, options));
}

async function link(work: Work, { keyRing, accountId, person }: LinkOptions): Promise<{ personId: string }> {
  const { ctx, sql } = work;
  const stored = await lockAccount(sql, accountId);
  if (stored.situation === "linked")
    throw new AppError("conflict", `Account ${accountId} is linked already, to ${stored.person_id}.`, { field: "account" });
  const connection = await loadConnection(sql, keyRing, stored.connection_id);
  if (stored.gone)
    throw new AppError(
      "conflict",
      `Account ${accountId} is gone: ${connection.name} lists it no more. It can be linked once it is listed again.`,
      {
        field: "account",
      },
    );
  const deciding = await decidingFor(sql, connection);
  if (!deciding.mapping.kinds.user?.inScope(stored.attributes))
    throw new AppError("conflict", `Account ${accountId} is outside the scope of ${connection.name}.`, { field: "account" });
  const record = {
    kind: "user" as const,
    nativeId: stored.native_id,
    attributes: stored.attributes,
    ...(stored.reference === null ? {} : { reference: stored.reference }),
  };
  const changed = [{ record, hash: stored.hash }];
  if (person !== "new")
    await sql.query(
      "update accounts set person_id = $2, situation = 'linked', linked_by = 'human', linked_at = $3, candidates = null, version = version + 1 where id = $1",
      [accountId, await existingPerson(sql, person), ctx.now()],
    );
  const { items, problems } =
    person === "new"
      ? await decideAsNew()
      : await decideRecords(sql, { deciding, changed, seenAt: ctx.now(), lock: true, sealing: { ctx, keyRing } });
  const [problem] = problems;
  if (problem) throw new AppError("conflict", `Account ${accountId} can't be linked so: ${problem.message}`, { field: "person" });
  const [item] = items;
  if (!item?.subjectId) throw new AppError("internal", `Account ${accountId} came to nothing.`);
  await takenAsConflict(accountId, () =>
    applyBatch({
      work,
      source: requestSource({ kind: "user", rows: itemRows(items) }),
      connection: { id: connection.id, name: connection.name, mappingVersion: connection.mappingVersion },
    }),
  );
  await sql.query("update accounts set linked_by = 'human' where id = $1", [accountId]);
  // Who this is, somebody has looked at now.
  await sql.query("update people set unvouched = '{}' where id = $1 and unvouched <> '{}'", [item.subjectId]);
  await recordEvent(work, {
    name: "account.settled",
    subjectType: "account",
    subjectId: String(accountId),
    data: { connection: connection.name, account: accountId, choice: person === "new" ? "new" : item.subjectId },
  });
  return { personId: item.subjectId };

  async function decideAsNew() {
    const known = (await knownAccounts(sql, { connectionId: connection.id, kind: "user", nativeIds: [stored.native_id] })).get(
      stored.native_id,
    );
    const contribution = deciding.mapping.kinds.user?.map(stored.attributes) ?? {};
    const decided = decideUser(deciding, {
      record,
      hash: stored.hash,
      contribution,
      inScope: true,
      known,
      match: { situation: "unmatched" },
      person: undefined,
      newPersonId: newId(ctx.now()),
      seenAt: ctx.now(),
    });
    return { items: decided ? [decided] : [], problems: [] };
  }
}

/** A person of its own who can't be made, because somebody has that name or address already. */
async function takenAsConflict<T>(accountId: number, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if ((error as { code?: unknown }).code !== "23505") throw error;
    throw new AppError("conflict", `Account ${accountId} can't be linked so: somebody else has its login name or e-mail address already.`, {
      field: "person",
      cause: error,
    });
  }
}

interface StoredAccount {
  connection_id: number;
  native_id: string;
  reference: string | null;
  attributes: AttributeObject;
  hash: string;
  situation: string;
  person_id: string | null;
  gone: boolean;
}

async function lockAccount(sql: Sql, accountId: number): Promise<StoredAccount> {
  const { rows } = await sql.query<StoredAccount>(
    "select connection_id, native_id, reference, attributes, encode(hash, 'hex') as hash, situation, person_id, gone_at is not null as gone from accounts where id = $1 and kind = 'user' for update",
    [accountId],
  );
  const [account] = rows;
  if (!account) throw new AppError("not_found", `There is no account ${accountId} of a person.`, { field: "account" });
  return account;
}

async function existingPerson(sql: Sql, id: string): Promise<string> {
  const { rows } = await sql.query<{ id: string }>("select id from people where id::text = lower($1) and state <> 'deleted'", [id]);
  const [person] = rows;
  if (!person) throw new AppError("not_found", `There is no person ${id}.`, { field: "person" });
  return person.id;
}
