import type { LoadedConnection } from "../../connections/open.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import type { SharedAnswers } from "../../db/shared-answers.ts";
import { AppError } from "../../errors.ts";
import { activeAccounts, judge, type GuardFacts } from "../guard.ts";
import { leastLinked } from "./least-linked.ts";

export interface GuardedOptions {
  ctx: Context;
  connection: LoadedConnection;
  action: "disable" | "delete";
  /** Nobody's access goes by it: the person was out already, or it is a group. */
  rest?: boolean;
  /** For a request outside of any transaction: what is counted for all who ask at one moment. */
  counts?: SharedAnswers<GuardCounts> | undefined;
  /** By connection: what was counted lately. */
  lately?: Map<number, CountedLately> | undefined;
}

/** What was counted, and when (milliseconds). */
export interface CountedLately {
  /** Accounts of people with access there were at least; whether no more than these. */
  linked?: { least: number; all: boolean; at: number; keptMs: number };
  /** Those who left in the window, and those who were let through since. */
  recent?: { count: number; at: number; through: number };
}

/** How long a count of accounts holds that is twice what is asked for: nobody loses half of their accounts so soon without a guard of its own. */
const LINKED_MS = 5000;
/** In a large directory for longer, so that counting takes a thousandth of the time; this is the longest. */
const LONGEST_LINKED_MS = 60_000;
const WORTH = 1000;
/** How long a count of those who left holds, while there is room for as many again and for these. Other nodes let some through meanwhile. */
const RECENT_MS = 250;
const ROOM = 100;

/**
 * Disables and deletes by request count in the same window as those of runs. Throws `held` when a guard trips. Accounts are
 * counted only as far as the limits ask: a large connection's are not counted for each request.
 */
export async function refuseGuarded(sql: Sql, options: GuardedOptions): Promise<void> {
  const { action, counts } = options;
  const { id, limits } = options.connection;
  if (letThrough(options)) return;
  const count = () => countsFor(sql, options);
  const counted = await (counts?.of(`${action} ${id} ${JSON.stringify(limits)}`, count) ?? count());
  if (judge(factsOf(options, counted), limits).length === 0) return;
  // Whoever has to look reads the true numbers.
  const [tripped] = judge(factsOf(options, { ...counted, linked: await linkedCount(sql, options) }), limits);
  if (tripped)
    throw new AppError("held", `${options.connection.name}: ${tripped.message}. Nothing was changed; an administrator has to look.`, {
      field: tripped.guard,
    });
}

/** What judging one more takes: those who left in the window, and as many accounts as tell whether they are too many. */
export interface GuardCounts {
  recent: number;
  /** Those among them who lost their access by it. */
  recentActive: number;
  /** Of people who have access, unless it is about nobody's. */
  linked: number;
}

/** As many again as left, and these: who lets others through without counting leaves room for them. */
const doubled = (recent: number): number => 2 * recent + ROOM;

/** Whether what was counted lately leaves so much room that nobody needs to count again. */
function letThrough(options: GuardedOptions): boolean {
  const { ctx, connection, lately } = options;
  const { linked, recent } = lately?.get(connection.id) ?? {};
  const at = ctx.now().getTime();
  if (!recent || Math.abs(at - recent.at) >= RECENT_MS) return false;
  const leaving = doubled(recent.count + recent.through);
  const most = enoughLinked({ ...options, recent: leaving });
  if (most > 0 && (!linked || linked.least < 2 * most || Math.abs(at - linked.at) >= linked.keptMs)) return false;
  if (judge(factsOf(options, { recent: leaving, recentActive: leaving, linked: most }), connection.limits).length > 0) return false;
  recent.through += 1;
  return true;
}

async function countsFor(sql: Sql, options: GuardedOptions): Promise<GuardCounts> {
  const { ctx, connection, lately } = options;
  const at = ctx.now().getTime();
  const left = await recentCount(sql, options);
  const { recent } = left;
  lately?.set(connection.id, { ...lately.get(connection.id), recent: { count: recent, at, through: 0 } });
  const most = enoughLinked({ ...options, recent });
  return { ...left, linked: most === 0 ? 0 : await linkedAtLeast(sql, { ...options, most, recent }) };
}

/**
 * As many accounts as are asked for, or all there are. They are not counted each time that somebody leaves: what was counted lately is
 * enough while it is plenty, and so many are counted that it is plenty for those, too, who are let through without counting.
 */
async function linkedAtLeast(sql: Sql, options: GuardedOptions & { most: number; recent: number }): Promise<number> {
  const { ctx, connection, lately, most, recent } = options;
  if (!lately || options.rest) return linkedCount(sql, options);
  const at = ctx.now().getTime();
  const { linked } = lately.get(connection.id) ?? {};
  const plenty = 2 * Math.max(most, enoughLinked({ ...options, recent: doubled(recent) }));
  const enough = linked && linked.least >= 2 * most && (linked.all || linked.least >= plenty);
  if (enough && Math.abs(at - linked.at) < linked.keptMs) return most;
  const likely = await leastLinked(sql, { connectionId: connection.id, most: 2 * plenty });
  const least = likely >= 2 * most ? likely : await linkedCount(sql, { ...options, most: 2 * plenty });
  const keptMs = Math.min(LONGEST_LINKED_MS, Math.max(LINKED_MS, WORTH * (ctx.now().getTime() - at)));
  lately.set(connection.id, { ...lately.get(connection.id), linked: { least, all: least < 2 * plenty, at, keptMs } });
  return least;
}

/** Who has access is a share of those who do; with all others, the counts alone hold them. */
function factsOf({ action, rest }: GuardedOptions, { recent, recentActive, linked }: GuardCounts): GuardFacts {
  const one = { disables: action === "disable" ? 1 : 0, deletes: action === "delete" ? 1 : 0 };
  const facts = { ...one, recent, reads: [], scopeChanged: false };
  return rest ? { ...facts, linked } : { ...facts, linked: Infinity, active: { ...one, linked, recent: recentActive } };
}

/** So many linked accounts that more would let no more through; 0 when the floors suffice. Pure. */
export function enoughLinked({ connection: { limits }, action, recent }: GuardedOptions & { recent: number }): number {
  const single = limits[action].floor >= 1 ? 0 : Math.ceil(1 / limits[action].share) + 1;
  const leaving = recent + 1;
  const together = limits.window.floor >= leaving ? 0 : Math.ceil(leaving / limits.window.share) + 1;
  return Math.max(single, together);
}

async function recentCount(sql: Sql, { ctx, connection }: GuardedOptions): Promise<Pick<GuardCounts, "recent" | "recentActive">> {
  const { rows } = await sql.query<Pick<GuardCounts, "recent" | "recentActive"> & { rows: number }>({
    name: "request_guard_recent",
    text: `select coalesce(sum(count), 0)::int as recent, coalesce(sum(count) filter (where action <> 'rest'), 0)::int as "recentActive", count(*)::int as rows
      from guard_counts where connection_id = $1 and action in ('disable', 'delete', 'rest') and at > $2::timestamptz - make_interval(secs => $3)`,
    values: [connection.id, ctx.now(), connection.limits.window.hours * 3600],
  });
  const { recent = 0, recentActive = 0, rows: kept = 0 } = rows[0] ?? {};
  if (kept > MOST_ROWS) await foldCounts(sql, { ctx, connection });
  return { recent, recentActive };
}

const MOST_ROWS = 500;

/** Counts of a hundredth of the window become one, at its last instant: the window never forgets one early. Rows that somebody else folds are left to them. */
async function foldCounts(sql: Sql, { ctx, connection }: Pick<GuardedOptions, "ctx" | "connection">): Promise<void> {
  await sql.query({
    name: "request_guard_fold",
    text: `with folded as (
        delete from guard_counts where id in (
          select id from guard_counts where connection_id = $1 and at > $2::timestamptz - make_interval(secs => $3) and at < $2::timestamptz - interval '5 seconds' order by id for update skip locked)
        returning connection_id, at, action, count)
      insert into guard_counts (connection_id, at, action, count)
      select connection_id, max(at), action, sum(count) from folded group by connection_id, action, date_bin(make_interval(secs => $3 / 100), at, 'epoch')`,
    values: [connection.id, ctx.now(), connection.limits.window.hours * 3600],
  });
}

async function linkedCount(
  sql: Sql,
  { connection, rest, most }: Pick<GuardedOptions, "connection" | "rest"> & { most?: number },
): Promise<number> {
  if (!rest && most === undefined) return activeAccounts(sql, { connectionId: connection.id });
  const { rows } = await sql.query<{ linked: number }>({
    ...(rest ? OF_ALL : OF_ACTIVE),
    values: [connection.id, most ?? null],
  });
  return rows[0]?.linked ?? 0;
}

const OF_ALL = {
  name: "request_guard_linked",
  text: `select count(*)::int as linked from (
      select from accounts where connection_id = $1 and kind = 'user' and situation = 'linked' and gone_at is null limit $2) linked`,
};

/** People are looked up one by one: the count ends at its limit, where a join would begin with all of them. */
const OF_ACTIVE = {
  name: "request_guard_active",
  text: `select count(*)::int as linked from (
      select from accounts a cross join lateral (select from people p where p.id = a.person_id and p.state in ('invited', 'active') offset 0) p
       where a.connection_id = $1 and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null limit $2) linked`,
};
