import type { AttributeObject, Completeness, Kind, Page, Source, SourceRecord } from "../../connectors/contract.ts";
import { ensureScimConnection } from "../../src/connections/builtin.ts";
import { createContext } from "../../src/context.ts";
import { inTransaction, openDatabase, type Database } from "../../src/db/database.ts";
import { sealingKey } from "../../src/db/envelope.ts";
import { takeOverSearchTexts } from "../../src/db/search-texts.ts";
import { createLog } from "../../src/log.ts";
import { runSync } from "../../src/sync/run.ts";
import { directoryOf, groupIdAt, userAt, userIdAt, type Directory } from "./directory.ts";

const PAGE = 1000;

export interface FillOptions {
  /** Of an empty database that is migrated. */
  url: string;
  people: number;
  key: Buffer;
}

/** Takes everybody in through the pipeline, as one sync; then the accounts are named as those that a SCIM client made. */
export async function fillOurs({ url, people, key }: FillOptions): Promise<void> {
  const db = openDatabase({ url, poolSize: 4 });
  try {
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
    const connection = await inTransaction(db, ctx, ensureScimConnection);
    // Switching people off and on a thousand times a second is no attack here.
    const most = { count: 1_000_000_000, share: 1 };
    await db.pool.query("update connections set limits = $2 where id = $1", [
      connection,
      JSON.stringify({ disable: most, delete: most, window: most }),
    ]);
    const keyRing = { current: sealingKey(key), older: [] };
    const source = sourceOf(directoryOf(people));
    const { state, guards } = await runSync(ctx, { db, keyRing, connection, mode: "full", trigger: "cli", source });
    if (state !== "done") throw new Error(`Filling the directory ended as "${state}": ${guards.map(({ message }) => message).join("; ")}`);
    await keepOrder(db);
    await db.pool.query(
      `update accounts set native_id = coalesce(person_id, group_id)::text, reference = coalesce(person_id, group_id)::text`,
    );
    await takeOverSearchTexts(ctx, db);
    await db.pool.query("vacuum (full, analyze) accounts");
    await db.pool.query("vacuum analyze");
  } finally {
    await db.close();
  }
}

/** Which id each person and group got, by their numbers. */
export async function idsOfOurs(url: string): Promise<{ users: string[]; groups: string[] }> {
  const db = openDatabase({ url, poolSize: 1 });
  try {
    const { rows } = await db.pool.query<{ kind: Kind; number: number; id: string }>(
      "select kind, number, id from bench_ids order by number",
    );
    const of = (kind: Kind) => rows.filter((row) => row.kind === kind).map(({ id }) => id);
    return { users: of("user"), groups: of("group") };
  } finally {
    await db.close();
  }
}

/** Before the accounts lose the names that they came with. */
async function keepOrder({ pool }: Database): Promise<void> {
  await pool.query(`create table bench_ids as select kind, ('x' || right(native_id, 8))::bit(32)::int as number, coalesce(person_id, group_id) as id
    from accounts where situation = 'linked'`);
}

function sourceOf(directory: Directory): Source {
  return {
    kinds: ["user", "group"],
    async *readAll(kind): AsyncGenerator<Page, Completeness> {
      const total = countOf(directory, kind);
      for (let first = 0; first < total; first += PAGE) {
        const count = Math.min(PAGE, total - first);
        yield { records: Array.from({ length: count }, (_, index) => recordAt(directory, kind, first + index)) };
      }
      return { finalCursor: true, count: total };
    },
    count: (kind) => Promise.resolve(countOf(directory, kind)),
    readOne: () => Promise.resolve("gone"),
    close: () => Promise.resolve(),
  };
}

function countOf({ people, groups }: Directory, kind: Kind): number {
  return kind === "user" ? people : groups.length;
}

function recordAt({ company, groups }: Directory, kind: Kind, index: number): SourceRecord {
  if (kind === "group") {
    const { name = "", size = 0 } = groups[index] ?? {};
    const members = Array.from({ length: size }, (_, member) => userIdAt(member));
    return { kind, nativeId: groupIdAt(index), reference: groupIdAt(index), attributes: { displayName: name }, members: { set: members } };
  }
  const { schemas: _, ...attributes } = userAt(company, index);
  return { kind, nativeId: userIdAt(index), reference: userIdAt(index), attributes: attributes as AttributeObject };
}
