import type { Kind } from "../../connectors/contract.ts";
import type { Sql, Work } from "../db/database.ts";
import { textArray } from "../db/text-array.ts";
import type { Item, ItemPayload } from "./records.ts";

/** Opens a run's plan, with the mapping that it is decided with: whatever becomes of the connection's, accounts are stored as this one's. */
export async function openPlan(
  { ctx, sql }: Work,
  { runId, connectionId, mappingVersion }: { runId: number; connectionId: number; mappingVersion: number },
): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    "insert into plans (run_id, connection_id, state, opened_at, mapping_version) values ($1, $2, 'staging', $3, $4) returning id",
    [runId, connectionId, ctx.now(), mappingVersion],
  );
  return rows[0]?.id ?? 0;
}

/** Takes back the member changes that the plan already holds for these groups: a group that a source lists twice counts as it was read last. */
export async function unstageMembers(sql: Sql, { planId, nativeIds }: { planId: number; nativeIds: readonly string[] }): Promise<void> {
  await sql.query("delete from plan_members where plan_id = $1 and group_native_id = any($2::text[])", [planId, nativeIds]);
}

/** Takes back what the plan already holds for these records: their last word is that nothing changes. */
export async function unstageItems(
  sql: Sql,
  { planId, kind, nativeIds }: { planId: number; kind: Kind; nativeIds: readonly string[] },
): Promise<void> {
  if (nativeIds.length === 0) return;
  await sql.query("delete from plan_items where plan_id = $1 and kind = $2 and native_id = any($3::text[])", [planId, kind, nativeIds]);
  if (kind === "group") await unstageMembers(sql, { planId, nativeIds });
}

/** Stages items, numbered from `firstSeq` on; one that the plan holds already for the same record is replaced. */
export async function stageItems(
  sql: Sql,
  { planId, firstSeq, items }: { planId: number; firstSeq: number; items: readonly Item[] },
): Promise<void> {
  if (items.length === 0) return;
  const columns = columnsOf(items);
  await sql.query({
    name: "sync_stage_items",
    text: `insert into plan_items (plan_id, seq, kind, native_id, action, account_id, account_version, subject_id, subject_version, reference, reason, payload,
        account_attributes, person_attributes, sealed, source_changed_at, seen_at)
      select $1, $2 + ordinality - 1, kind, native_id, action, account_id::bigint, account_version::int, subject_id::uuid, subject_version::int, reference, reason, payload::jsonb,
        account_attributes, person_attributes, sealed, source_changed_at::timestamptz, seen_at::timestamptz
      from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
        with ordinality as row (kind, native_id, action, account_id, account_version, subject_id, subject_version, reference, reason, payload,
          account_attributes, person_attributes, sealed, source_changed_at, seen_at, ordinality)
      on conflict (plan_id, kind, native_id) do update set seq = excluded.seq, action = excluded.action, account_id = excluded.account_id, account_version = excluded.account_version,
        subject_id = excluded.subject_id, subject_version = excluded.subject_version, reference = excluded.reference, reason = excluded.reason, payload = excluded.payload,
        account_attributes = excluded.account_attributes, person_attributes = excluded.person_attributes, sealed = excluded.sealed,
        source_changed_at = excluded.source_changed_at, seen_at = excluded.seen_at`,
    values: [planId, firstSeq, ...columns],
  });
}

const TEXT_COLUMNS = [
  "kind",
  "native_id",
  "action",
  "account_id",
  "account_version",
  "subject_id",
  "subject_version",
  "reference",
  "reason",
  "payload",
  "account_attributes",
  "person_attributes",
  "sealed",
  "source_changed_at",
  "seen_at",
] as const satisfies readonly (keyof ItemRow)[];

/** Row by row, so that a row's documents are garbage as soon as they are bytes: most of what a first sync keeps in memory is pages on their way. */
function columnsOf(items: readonly Item[]): Buffer[] {
  const columns = TEXT_COLUMNS.map((name) => ({ name, texts: textArray() }));
  for (const item of items) {
    const row = itemRow(item);
    for (const { name, texts } of columns) texts.add(textOf(row[name]));
  }
  return columns.map(({ texts }) => texts.bytes());
}

function textOf(value: ItemRow[keyof ItemRow]): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

type ItemRow = ReturnType<typeof itemRow>;

/** Items in the column names of plan_items, as JSON. */
export function itemRows(items: readonly Item[]): string {
  return JSON.stringify(items.map(itemRow));
}

/** An item as a row of plan_items. What a payload does not say is left out: making jsonb is most of what staging costs. */
function itemRow(item: Item) {
  const { payload } = item;
  const { account, person } = payload;
  return {
    kind: item.kind,
    native_id: item.nativeId,
    action: item.action,
    account_id: item.accountId,
    account_version: item.accountVersion,
    subject_id: item.subjectId,
    subject_version: item.subjectVersion,
    reference: item.reference,
    reason: item.reason,
    payload: {
      ...payload,
      sealed: undefined,
      account: account && { ...account, attributes: undefined },
      person: person && withoutDocument(person),
    },
    account_attributes: account && JSON.stringify(account.attributes),
    person_attributes: person && JSON.stringify(person.attributes),
    sealed: payload.sealed,
    source_changed_at: item.sourceChangedAt,
    seen_at: item.seenAt,
  };
}

/** A person's columns. */
function withoutDocument(person: NonNullable<ItemPayload["person"]>): object {
  return {
    ...person,
    attributes: undefined,
    email: person.email ?? undefined,
    employeeNumber: person.employeeNumber ?? undefined,
    externalId: person.externalId ?? undefined,
    displayName: person.displayName ?? undefined,
    custom: Object.keys(person.custom).length > 0 ? person.custom : undefined,
    manager: person.manager ?? undefined,
    changed: person.changed.length > 0 ? person.changed : undefined,
  };
}

export interface ClosedPlan {
  hash: Buffer;
  /** By kind, then action. */
  counts: Record<string, Record<string, number>>;
  items: number;
}

const CLAIMS = `claims as materialized (
    select seq, native_id, action, subject_id, lower(payload->'person'->>'userName') as user_name, lower(payload->'person'->>'email') as email
      from plan_items where plan_id = $1 and kind = 'user' and payload ? 'person')`;

const BEATEN = (column: string) =>
  `beaten as materialized (select seq from (select seq, subject_id, first_value(subject_id) over (partition by ${column} order by action = 'create', native_id collate "C") as holder from claims where ${column} is not null) c where subject_id is distinct from holder)`;

export interface DoubleClaim {
  nativeId: string;
  /** What it claimed. */
  userName?: string;
  email?: string;
}

/**
 * Two records of one plan that claim the same login name can't both have it: the one with the smaller native id keeps it,
 * whatever the order of reading, and the other is taken out of the plan. The same holds for the address to which we write,
 * which the other keeps in its profile only. Two accounts of one person claim nothing of each other. Returns the records that lost.
 */
export async function settleDoubleClaims(sql: Sql, planId: number): Promise<DoubleClaim[]> {
  if (!(await anyDoubleClaim(sql, planId))) return [];
  const { rows: unnamed } = await sql.query<DoubleClaim>(
    `with ${CLAIMS}, ${BEATEN("user_name")}
     delete from plan_items i where i.plan_id = $1 and i.seq = any(array(select seq from beaten)) returning i.native_id as "nativeId", i.payload->'person'->>'userName' as "userName"`,
    [planId],
  );
  const { rows: unaddressed } = await sql.query<DoubleClaim>(
    `with ${CLAIMS}, ${BEATEN("email")}
     update plan_items i set payload = i.payload #- '{person,email}' where i.plan_id = $1 and i.seq = any(array(select seq from beaten))
     returning i.native_id as "nativeId", i.person_attributes::jsonb->'emails'->0->>'value' as email`,
    [planId],
  );
  return [...unnamed, ...unaddressed];
}

/** Reads the plan once, where settling reads it twice: nearly always there is nothing to settle. */
async function anyDoubleClaim(sql: Sql, planId: number): Promise<boolean> {
  const { rows } = await sql.query<{ double: boolean }>(
    `with ${CLAIMS}
     select exists (select from claims where user_name is not null group by user_name having count(*) > 1)
       or exists (select from claims where email is not null group by email having count(*) > 1) as double`,
    [planId],
  );
  return rows[0]?.double ?? false;
}

/**
 * Closes the plan: nothing is staged from here on, and the hash over its items in (kind, nativeId) order binds it. `hashed`: of the items
 * as they stand, by whoever has staged them and holds the connection's lock.
 */
export async function closePlan(
  { ctx, sql }: Work,
  { planId, hashed }: { planId: number; hashed: HashedPlan | undefined },
): Promise<ClosedPlan> {
  const { hash, items } = hashed ?? (await hashOf(sql, planId));
  const { rows } = await sql.query<{ kind: string; action: string; count: number }>(
    "select kind, action, count(*)::int as count from plan_items where plan_id = $1 group by kind, action",
    [planId],
  );
  const counts: Record<string, Record<string, number>> = {};
  for (const row of rows) counts[row.kind] = { ...counts[row.kind], [row.action]: row.count };
  await sql.query("update plans set state = 'closed', hash = $2, counts = $3, closed_at = $4 where id = $1", [
    planId,
    hash,
    JSON.stringify(counts),
    ctx.now(),
  ]);
  return { hash, counts, items };
}

export interface HashedPlan {
  hash: Buffer;
  items: number;
}

/** SHA-256 over the items' own hashes (each over everything that apply reads of it) and the member changes. */
export async function hashOf(sql: Sql, planId: number): Promise<HashedPlan> {
  const { rows } = await sql.query<HashedPlan>(
    `select sha256(
        coalesce((select string_agg(hash, ''::bytea order by kind collate "C", native_id collate "C") from plan_items where plan_id = $1), ''::bytea) ||
        coalesce((select string_agg(text_sha256(concat_ws(E'\\x1f', group_native_id, op, reference, account_id)), ''::bytea
                                    order by group_native_id collate "C", op, reference collate "C", account_id) from plan_members where plan_id = $1), ''::bytea)) as hash,
      (select count(*)::int from plan_items where plan_id = $1) as items`,
    [planId],
  );
  const [row] = rows;
  if (!row) throw new Error("an aggregate returned no row");
  return row;
}
