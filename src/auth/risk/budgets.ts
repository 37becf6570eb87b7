import type { Sql } from "../../db/database.ts";

/** A budget that something is taken from: so many within so long, counted from the first. */
export interface Budget {
  key: string;
  most: number;
  durationMs: number;
}

/** The budget that is used up, by its place in the list. */
export interface UsedUp {
  place: number;
  /** How much was asked for in its time, this one included. */
  taken: number;
  until: Date;
}

/**
 * Takes one from each budget in turn, by one statement, until one is used up: those after it lose nothing. Of takers at the same time no
 * more come through than there is. Everybody names budgets in one order, because rows are locked in that of the list.
 */
export async function takeFromEach(sql: Sql, { budgets, now }: { budgets: readonly Budget[]; now: Date }): Promise<UsedUp | undefined> {
  const at = now.getTime();
  const { rows } = await sql.query<{ place: number; points: number; expire: number }>({
    name: `budgets-take-${budgets.length}`,
    text: takeText(budgets.length),
    values: [at, ...budgets.flatMap(({ key, most, durationMs }) => [key, most, at + durationMs])],
  });
  const last = rows.at(-1);
  const budget = last && budgets[last.place];
  if (!last || !budget) throw new Error("a budget was counted and not answered");
  return last.points > budget.most ? { place: last.place, taken: last.points, until: new Date(last.expire) } : undefined;
}

function takeText(count: number): string {
  const places = Array.from({ length: count }, (_, place) => place);
  const taken = places.map((place) => {
    const [key, end] = [`$${place * 3 + 2}::text`, `$${place * 3 + 4}::bigint`];
    const before = place === 0 ? "" : ` from taken_${place - 1} where points <= $${(place - 1) * 3 + 3}::int`;
    return `taken_${place} as (insert into attempt_limits as l (key, points, expire) select ${key}, 1, ${end}${before}
      on conflict (key) do update set points = case when l.expire <= $1::bigint then 1 else l.points + 1 end,
        expire = case when l.expire <= $1 then excluded.expire else l.expire end
      returning points, expire)`;
  });
  const last = `$${(count - 1) * 3 + 3}::int is not null`;
  const answers = places.map((place) => `select ${place} as place, points, expire from taken_${place}`);
  return `with ${taken.join(",\n")} select * from (${answers.join(" union all ")}) answered where ${last} order by place`;
}

// The rows are locked in the order of the list, as by takers.
const GIVE_BACK = `with mine as (select l.key from unnest($1::text[]) with ordinality as given (key, place) join attempt_limits l using (key)
    order by given.place for update of l)
  update attempt_limits l set points = l.points - 1 from mine where l.key = mine.key and l.points > 0 and (l.expire is null or l.expire > $2)`;

/** Gives each of these budgets one back. */
export async function giveBack(sql: Sql, { keys, now }: { keys: readonly string[]; now: Date }): Promise<void> {
  await sql.query({ name: "budgets-give-back", text: GIVE_BACK, values: [keys, now.getTime()] });
}

/** The budget is whole again. */
export async function makeWhole(sql: Sql, key: string): Promise<void> {
  await sql.query({ name: "budget-whole", text: "delete from attempt_limits where key = $1", values: [key] });
}
