import { randomUUID } from "node:crypto";
import type { Work } from "../../db/database.ts";
import type { FactorKind } from "./kinds.ts";

/** What is proved: a factor that is to be enrolled, one that is, or a passkey that says by itself who is there. */
export type Purpose = "enrol" | "verify" | "passwordless";

export interface NewChallenge {
  id: string;
  personId: string | null;
  factorId?: string;
  kind: FactorKind;
  purpose: Purpose;
  boundTo: string;
  codeHash?: Buffer;
  challenge?: string;
  sealed?: string;
  minutes: number;
}

/** For how long a factor may be enrolled, or a passkey be shown, once asked for. */
export const CEREMONY_MINUTES = 10;
/** Most tries of one challenge. */
export const MOST_TRIES = 5;
const MINUTE_MS = 60_000;

export function newChallengeId(): string {
  return randomUUID();
}

/** Keeps what is waited for. Of one sign-in or session only the latest of a kind and purpose counts. Returns until when it is good. */
export async function keepChallenge({ ctx, sql }: Work, challenge: NewChallenge): Promise<Date> {
  const now = ctx.now();
  const until = new Date(now.getTime() + challenge.minutes * MINUTE_MS);
  const { id, personId, factorId = null, kind, purpose, boundTo, codeHash = null, sealed = null } = challenge;
  const before = "bound_to = $1 and kind = $2 and purpose = $3 and person_id is not distinct from $4 and used_at is null";
  // How many codes were sent is counted; a challenge that is asked for again leaves nothing behind.
  if (codeHash === null) await sql.query(`delete from factor_challenges where ${before}`, [boundTo, kind, purpose, personId]);
  else await sql.query(`update factor_challenges set used_at = $5 where ${before}`, [boundTo, kind, purpose, personId, now]);
  await sql.query(
    `insert into factor_challenges (id, person_id, factor_id, kind, purpose, bound_to, code_hash, challenge, sealed, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [id, personId, factorId, kind, purpose, boundTo, codeHash, challenge.challenge ?? null, sealed, now, until],
  );
  return until;
}

export interface WaitingChallenge {
  id: string;
  factorId: string | null;
  codeHash: Buffer | null;
  sealed: string | null;
}

interface Wanted {
  personId: string;
  kind: FactorKind;
  purpose: Purpose;
  boundTo: string;
}

/**
 * Counts a try of what waits, and hands it out; undefined when nothing does, or its tries are used up. One statement: tries at the same
 * time are counted one after the other, and its row stays locked until the transaction ends.
 */
export async function tryChallenge(
  { ctx, sql }: Work,
  { personId, kind, purpose, boundTo }: Wanted,
): Promise<WaitingChallenge | undefined> {
  const { rows } = await sql.query<WaitingChallenge>(
    `update factor_challenges set tries = tries + 1
     where person_id = $1 and kind = $2 and purpose = $3 and bound_to = $4 and used_at is null and expires_at > $5 and tries < $6
     returning id, factor_id as "factorId", code_hash as "codeHash", sealed`,
    [personId, kind, purpose, boundTo, ctx.now(), MOST_TRIES],
  );
  return rows[0];
}

/** Uses a challenge up; false when somebody else did. */
export async function useChallenge({ ctx, sql }: Work, id: string): Promise<boolean> {
  const { rowCount } = await sql.query("update factor_challenges set used_at = $2, sealed = null where id = $1 and used_at is null", [
    id,
    ctx.now(),
  ]);
  return rowCount === 1;
}

/** Uses up a passkey's challenge, by its value; false when it was never given for this, is over, or was used. */
export async function useCeremony(
  { ctx, sql }: Work,
  { personId, purpose, boundTo, challenge }: { personId: string | null; purpose: Purpose; boundTo: string; challenge: string },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update factor_challenges set used_at = $5 where kind = 'passkey' and person_id is not distinct from $1 and purpose = $2 and bound_to = $3
       and challenge = $4 and used_at is null and expires_at > $5`,
    [personId, purpose, boundTo, challenge, ctx.now()],
  );
  return rowCount === 1;
}

/** Forgets what nobody waits for any more. They are kept for a day, by which codes are counted. Returns how many. */
export async function forgetChallenges({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from factor_challenges where expires_at < $1::timestamptz - interval '1 day'", [ctx.now()]);
  return rowCount ?? 0;
}
