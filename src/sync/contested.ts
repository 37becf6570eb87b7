import type { RecordProblem } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import { keepers, passingOrder, spansOf, type Claim, type Giver, type Span } from "./passing-order.ts";

/**
 * Items that pass names on among themselves are numbered from here on, behind all others of a plan. Those that must be applied together
 * are next to each other, and a number is left out before the next ones.
 */
export const PASSING_FROM = 1_000_000_000;

interface Contested {
  planId: number;
  /** Native ids of records that claim what was somebody else's when they were decided about. */
  nativeIds: readonly string[];
}

/**
 * What people of a plan claim of each other: a login name, or the address to which we write, is to be had when the plan gives whoever has
 * it another. Whose name is not to be had is taken out of the plan, and whose address is not keeps it in the profile alone. Says who.
 */
export async function settleContested(sql: Sql, options: Contested): Promise<RecordProblem[]> {
  const { planId } = options;
  const { claims, givers } = await readClaims(sql, options);
  const { unnamed, unaddressed } = keepers({ claims, givers });
  if (unnamed.length > 0) await sql.query("delete from plan_items where plan_id = $1 and seq = any($2::int[])", [planId, seqsOf(unnamed)]);
  if (unaddressed.length > 0)
    await sql.query("update plan_items set payload = payload #- '{person,email}' where plan_id = $1 and seq = any($2::int[])", [
      planId,
      seqsOf(unaddressed),
    ]);
  return [...unnamed.map(({ nativeId, said }) => nameTaken(nativeId, said)), ...unaddressed.map(addressTaken)];
}

const seqsOf = (claims: readonly Claim[]) => claims.map(({ seq }) => seq);

/** Without the holder's id: a SCIM client that sees only its own is told this, too, and whoever may look finds them by the name. */
export function nameTaken(nativeId: string, userName: string): RecordProblem {
  return { kind: "user", nativeId, code: "conflict", message: `Its userName ${userName} belongs to another person already.` };
}

export function addressTaken({ nativeId, said, holder }: Pick<Claim, "nativeId" | "said" | "holder">): RecordProblem {
  const message = `Its e-mail address ${said} belongs to another person already (${holder}): it stands in the profile, but messages don't go there.`;
  return { kind: "user", nativeId, code: "email_taken", message };
}

/** Numbers anew what passes names on: whoever gives something up is next to whoever has it then, and before them where that is possible. */
export async function arrangePassing(sql: Sql, { planId, nativeIds }: Contested): Promise<void> {
  let free = PASSING_FROM;
  const numbered = passingOrder(await readClaims(sql, { planId, nativeIds })).flatMap((together) => {
    const first = free;
    free += together.length + 1;
    return together.map((seq, index) => ({ seq, next: first + index }));
  });
  if (numbered.length === 0) return;
  await sql.query(
    "update plan_items i set seq = n.next from unnest($2::int[], $3::int[]) as n (seq, next) where i.plan_id = $1 and i.seq = n.seq",
    [planId, numbered.map(({ seq }) => seq), numbered.map(({ next }) => next)],
  );
}

/** By the index of each, value by value: left to itself, the planner reads everybody once the list is long. */
const claimsOf = (field: Claim["field"], column: "user_name" | "email") =>
  `select i.seq, i.native_id as "nativeId", '${field}' as field, i.payload->'person'->>'${field}' as said, lower(i.payload->'person'->>'${field}') as value, p.id as holder
     from plan_items i
     cross join lateral (select id from people where lower(${column}::text) = lower(i.payload->'person'->>'${field}') and state <> 'deleted' offset 0) p
    where i.plan_id = $1 and i.kind = 'user' and i.native_id = any($2::text[]) and i.payload ? 'person' and p.id is distinct from i.subject_id`;

/** What the plan claims of others as it stands, and what it makes of those. */
async function readClaims(sql: Sql, { planId, nativeIds }: Contested): Promise<{ claims: Claim[]; givers: Giver[] }> {
  const { rows: claims } = await sql.query<Claim>(
    `${claimsOf("userName", "user_name")} union all ${claimsOf("email", "email")} order by 1`,
    [planId, nativeIds],
  );
  if (claims.length === 0) return { claims, givers: [] };
  const { rows: givers } = await sql.query<Giver>(
    `select seq, subject_id as "personId", lower(payload->'person'->>'userName') as "userName", lower(payload->'person'->>'email') as email
       from plan_items where plan_id = $1 and kind = 'user' and payload ? 'person' and subject_id = any($2::uuid[]) order by seq`,
    [planId, [...new Set(claims.map(({ holder }) => holder))]],
  );
  return { claims, givers };
}

/** The items that arrangePassing has numbered: none of these spans is torn apart. */
export async function passingSpans(sql: Sql, planId: number): Promise<Span[]> {
  const { rows } = await sql.query<{ seq: number }>("select seq from plan_items where plan_id = $1 and seq >= $2 order by seq", [
    planId,
    PASSING_FROM,
  ]);
  return spansOf(rows.map(({ seq }) => seq));
}
