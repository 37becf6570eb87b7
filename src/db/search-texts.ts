import type { Context } from "../context.ts";
import { inTransaction, type Database, type Sql } from "./database.ts";
import { deferSearchIndexes } from "./search-indexes.ts";

/** "rollcall search" as a number for advisory locks; the triggers of the migrations use it, too. */
const SEARCH_LOCK = 7_305_009;
/** Notes taken over in one transaction: a fraction of a second. */
const PORTION = 2000;
/** So many notes leave tables behind that are not as the planner remembers them. */
const MANY = 20_000;

/**
 * Takes over into `person_search` and `account_search` what has changed of people and accounts, in portions, until nothing is
 * noted or another node is at it. A note and the change that it is of are seen together or not at all, and only one node takes
 * over at a time: nothing older is ever written over something newer. Returns how many notes there were.
 */
export async function takeOverSearchTexts(ctx: Context, db: Database): Promise<number> {
  let total = 0;
  for (let some = PORTION; some === PORTION; total += some) {
    ctx.signal.throwIfAborted();
    some = await inTransaction(db, ctx, ({ sql }) => takeOverPortion(sql));
  }
  if (total >= MANY) await tidy(db.pool);
  return total;
}

/** Autovacuum would come to it; until then every search walks through what is left of the notes. */
async function tidy(sql: Sql): Promise<void> {
  await sql.query("vacuum (analyze, skip_locked) search_changes");
  await sql.query("analyze person_search, account_search");
}

async function takeOverPortion(sql: Sql): Promise<number> {
  const { rows: locks } = await sql.query<{ mine: boolean }>("select pg_try_advisory_xact_lock($1) as mine", [SEARCH_LOCK]);
  if (!locks[0]?.mine) return 0;
  await deferSearchIndexes(sql);
  const { rows } = await sql.query<{ count: number }>(
    `with noted as materialized (delete from search_changes where id = any(array(select id from search_changes order by id limit $1)) returning person_id, account_id),
      people_texts as (insert into person_search (person_id, words, name, written, emails)
        select id, person_search_text(attributes), lower(coalesce(display_name, user_name::text)), scim_search_text(attributes), scim_search_emails(attributes)
          from people where id in (select person_id from noted)
        on conflict (person_id) do update set words = excluded.words, name = excluded.name, written = excluded.written, emails = excluded.emails
          where (person_search.words, person_search.name, person_search.written, person_search.emails)
            is distinct from (excluded.words, excluded.name, excluded.written, excluded.emails)),
      account_texts as (insert into account_search (account_id, written, emails)
        select id, scim_search_text(attributes), scim_search_emails(attributes) from accounts
          where id in (select account_id from noted) and kind = 'user' and attributes->>'userName' is not null
        on conflict (account_id) do update set written = excluded.written, emails = excluded.emails
          where (account_search.written, account_search.emails) is distinct from (excluded.written, excluded.emails))
    select count(*)::int as count from noted`,
    [PORTION],
  );
  return rows[0]?.count ?? 0;
}

/** Until this transaction ends, nothing is taken over: for whoever removes what was, so that it does not come back. */
export async function waitForSearchTexts(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [SEARCH_LOCK]);
}
