import type { Sql } from "./database.ts";

/** Kilobytes of entries that a GIN index may put off; see deferSearchIndexes. */
const DEFERRED_KB = 1024 * 1024;

/**
 * For this transaction, the search indexes (GIN) only note new entries, as PostgreSQL does in small all the time: sorting in
 * a hundred thousand at once takes a fifth of the time that sorting them in one by one does. What is noted is found, too,
 * only more slowly, so completeSearchIndexes has to follow.
 */
export async function deferSearchIndexes(sql: Sql): Promise<void> {
  await sql.query(`set local gin_pending_list_limit = ${DEFERRED_KB}`);
}

/** Sorts in what deferSearchIndexes put off. Nothing happens when nothing waits. */
export async function completeSearchIndexes(sql: Sql): Promise<void> {
  await sql.query(
    `select gin_clean_pending_list(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
      where m.amname = 'gin' and i.indrelid in ('people'::regclass, 'accounts'::regclass, 'person_search'::regclass, 'account_search'::regclass)`,
  );
}
