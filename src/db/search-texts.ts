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
 * Takes over what has changed of people into `person_search`, and what accounts say otherwise into `account_search`, in portions, until
 * nothing is noted or another node is at it. A note and the change that it is of are seen together or not at all, and only one node takes
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
  const { rows } = await sql.query<{ count: number }>(TAKE_OVER, [PORTION]);
  return rows[0]?.count ?? 0;
}

// A person is found by what an account says of them, too: by their own texts where those are the same, so that they are indexed once.
// Whether they are is asked again only when the one or the other says something else: a nickname is in no text of an account.
const TAKE_OVER = `with noted as materialized (delete from search_changes where id = any(array(select id from search_changes order by id limit $1)) returning person_id, account_id),
  texts as materialized (select p.*, s.person_id is null as unknown, (s.words, s.name) is distinct from (p.words, p.name) as reworded,
      (s.written, s.emails) is distinct from (p.written, p.emails) as rewritten
    from (select id, person_search_text(attributes) as words, lower(coalesce(display_name, user_name::text)) as name,
          scim_search_text(attributes) as written, scim_search_emails(attributes) as emails
        from people where id in (select person_id from noted) offset 0) p
      left join lateral (select * from person_search where person_id = p.id offset 0) s on true),
  added as (insert into person_search (person_id, words, name, written, emails) select id, words, name, written, emails from texts where unknown),
  changed as (insert into person_search (person_id, words, name, written, emails)
    select id, words, name, written, emails from texts where not unknown and (reworded or rewritten)
    on conflict (person_id) do update set words = excluded.words, name = excluded.name, written = excluded.written, emails = excluded.emails),
  -- With what their person says, where that was read already.
  reached as (select distinct on (id) * from (
      select account_id as id, false as told, null as written, null::jsonb as emails from noted where account_id is not null
      union all select a.id, true, texts.written, texts.emails
        from texts cross join lateral (select id from accounts where person_id = texts.id and kind = 'user' offset 0) a where texts.rewritten) one
    order by id, told desc),
  compared as materialized (select a.id, a.written, a.emails, (a.written, a.emails) is not distinct from (said.written, said.emails) as same
    from reached cross join lateral (select id, person_id, scim_search_text(attributes) as written, scim_search_emails(attributes) as emails
        from accounts where id = reached.id and scim_user_name is not null offset 0) a
      left join lateral (select scim_search_text(attributes) as written, scim_search_emails(attributes) as emails
        from people where not reached.told and id = a.person_id offset 0) p on true
      cross join lateral (select case when reached.told then reached.written else p.written end as written,
        case when reached.told then reached.emails else p.emails end as emails) said),
  account_texts as (insert into account_search (account_id, written, emails) select id, written, emails from compared where not same
    on conflict (account_id) do update set written = excluded.written, emails = excluded.emails
      where (account_search.written, account_search.emails) is distinct from (excluded.written, excluded.emails)),
  spared as (delete from account_search where account_id = any(array(select id from compared where same)))
  select count(*)::int as count from noted`;

/** Until this transaction ends, nothing is taken over: for whoever removes what was, so that it does not come back. */
export async function waitForSearchTexts(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [SEARCH_LOCK]);
}
