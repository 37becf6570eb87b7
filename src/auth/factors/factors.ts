import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { tellPerson } from "../../directory/notices.ts";
import { lockPerson } from "../../directory/people-checks.ts";
import { AppError } from "../../errors.ts";
import { endSessions } from "../sessions/end.ts";
import type { SignInMethod } from "../sessions/session.ts";
import { FACTOR_KINDS, type Factor, type FactorKind } from "./kinds.ts";
import { isLastWayIn } from "./last-way-in.ts";
import { factorNeeded } from "./needed.ts";
import { forgetRecoveryCodes, makeRecoveryCodes } from "./recovery-codes.ts";

/** Most factors of one person. */
const MOST_FACTORS = 20;

/** What is stored of a factor that was just proved. */
export interface NewFactor {
  id: string;
  personId: string;
  kind: FactorKind;
  label: string;
  /** Of all but passkeys. */
  sealed?: string;
  /** TOTP: the step of the code that proved it. */
  lastStep?: number;
  passkey?: { credentialId: Uint8Array; publicKey: Uint8Array; signCount: number; transports: readonly string[]; backedUp: boolean };
}

/** Somebody's factors, the oldest first. */
export async function factorsOf(sql: Sql, personId: string): Promise<Factor[]> {
  const { rows } = await sql.query<Factor>(
    `select id, kind, label, created_at as "createdAt", last_used_at as "lastUsedAt" from factors where person_id = $1 order by created_at, id`,
    [personId],
  );
  return rows;
}

/**
 * Adds a factor, records it and tells the person. With the first one come recovery codes, which are seen here only.
 * Throws `conflict` for a passkey that is enrolled already, and for too many.
 */
export async function addFactor(
  work: Work,
  { keyRing, factor }: { keyRing: KeyRing; factor: NewFactor },
): Promise<{ factorId: string; recoveryCodes: string[] | null }> {
  const { ctx, sql } = work;
  const { id, personId, kind, label, passkey } = factor;
  await lockPerson(sql, personId);
  const known = await factorsOf(sql, personId);
  if (known.length >= MOST_FACTORS)
    throw new AppError("conflict", `There are ${MOST_FACTORS} second factors already: take one away first.`, { field: "factor" });
  const { rowCount } = await sql.query(
    `insert into factors (id, person_id, kind, label, sealed, created_at, last_step, credential_id, public_key, sign_count, transports, backed_up)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (credential_id) do nothing`,
    [
      id,
      personId,
      kind,
      label,
      factor.sealed ?? null,
      ctx.now(),
      factor.lastStep ?? null,
      passkey?.credentialId ?? null,
      passkey?.publicKey ?? null,
      passkey?.signCount ?? null,
      passkey?.transports ?? [],
      passkey?.backedUp ?? null,
    ],
  );
  if (!rowCount) throw new AppError("conflict", "This passkey is enrolled already.", { field: "factor" });
  await recordEvent(work, { name: "factor.added", subjectType: "person", subjectId: personId, data: { kind, factor: id } });
  await tellPerson(work, { keyRing, personId, notice: "factor.added", data: { factor: kind } });
  return { factorId: id, recoveryCodes: known.length === 0 ? await makeRecoveryCodes(work, personId) : null };
}

/** What can't be taken away: the last factor of who needs one (`factor`), the passkey without which nothing lets them in (`last_way_in`). */
export type KeptFactor = "factor" | "last_way_in";

export interface RemovedFactor {
  keyRing: KeyRing;
  personId: string;
  factorId: string;
  /** The session that goes on: the one in which the person did it. */
  keepSession?: string | undefined;
}

/**
 * Takes one of somebody's own factors away, and tells the person. Sessions that this kind has proven end, but for `keepSession`, and so do
 * sign-ins under way: who loses a device takes its factor away. The caller has asked for a fresh proof before.
 * Throws `not_found`; `conflict`, its field a `KeptFactor`, for what has to stay.
 */
export async function removeFactor(work: Work, { keyRing, personId, factorId, keepSession }: RemovedFactor): Promise<void> {
  const { ctx, sql } = work;
  // Of two that go at once, the second sees that it is the last.
  await lockPerson(sql, personId);
  const known = await factorsOf(sql, personId);
  const factor = known.find(({ id }) => id === factorId);
  if (!factor) throw new AppError("not_found", "There is no such second factor.", { field: "factor" });
  const isLast = known.length === 1;
  if (isLast && (await factorNeeded(sql, { personId, at: ctx.now() })))
    throw new AppError("conflict", "This is the last second factor, and you need one: add another before you take it away.", {
      field: "factor" satisfies KeptFactor,
    });
  if (await isLastWayIn(sql, { personId, factor, known, at: ctx.now() }))
    throw new AppError(
      "conflict",
      "This passkey is all that lets you in: add another passkey, or have an administrator send you a link to set a password, before you take it away.",
      { field: "last_way_in" satisfies KeptFactor },
    );
  await sql.query("delete from factors where id = $1", [factorId]);
  if (isLast) await forgetRecoveryCodes(sql, personId);
  const { kind } = factor;
  await endSessions(work, { personId, provenBy: [kind], except: keepSession, reason: "the second factor was taken away" });
  await recordEvent(work, { name: "factor.removed", subjectType: "person", subjectId: personId, data: { kind, factor: factorId } });
  await tellPerson(work, { keyRing, personId, notice: "factor.removed", data: { factor: kind } });
}

const BY_FACTOR: readonly SignInMethod[] = [...FACTOR_KINDS, "recovery"];

/**
 * Takes all of somebody's factors and recovery codes away, for who has lost them, and ends sign-ins under way and every session that one
 * of them has proven. Whoever needs one enrols anew at the next sign-in. The caller has asked whether they may (`requireHoldsAll`). Throws `not_found`; `conflict` when there is nothing to take away.
 */
export async function resetFactors(
  work: Work,
  { keyRing, personId, reason }: { keyRing: KeyRing; personId: string; reason: string },
): Promise<{ factors: number }> {
  const { sql } = work;
  await lockPerson(sql, personId);
  const { rowCount } = await sql.query("delete from factors where person_id = $1", [personId]);
  const recoveryCodes = await forgetRecoveryCodes(sql, personId);
  await sql.query("delete from factor_challenges where person_id = $1 and used_at is null", [personId]);
  const factors = rowCount ?? 0;
  if (factors === 0) throw new AppError("conflict", "This person has no second factor.", { field: "person" });
  await recordEvent(work, {
    name: "factor.reset",
    subjectType: "person",
    subjectId: personId,
    reason,
    data: { factors, recoveryCodes },
  });
  await endSessions(work, { personId, provenBy: BY_FACTOR, reason: "the second factors were reset" });
  await tellPerson(work, { keyRing, personId, notice: "factors.reset" });
  return { factors };
}
