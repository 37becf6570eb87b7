import { createHash, randomInt, randomUUID } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { tellPerson } from "../../directory/notices.ts";
import type { Proof } from "./kinds.ts";

const HOW_MANY = 10;
/** Thirty-two letters that nobody mistakes for each other: sixteen of them are 80 bits. */
const LETTERS = "abcdefghjkmnpqrstuvwxyz023456789";
const LETTERS_A_CODE = 16;

/** Makes ten codes in place of those that there were. They are seen here only: what is kept are hashes. */
export async function makeRecoveryCodes(work: Work, personId: string): Promise<string[]> {
  const { ctx, sql } = work;
  await forgetRecoveryCodes(sql, personId);
  const codes = Array.from({ length: HOW_MANY }, newRecoveryCode);
  await sql.query(
    "insert into recovery_codes (id, person_id, hash, created_at) select c.id, $1, c.hash, $4 from unnest($2::uuid[], $3::bytea[]) as c (id, hash)",
    [personId, codes.map(() => randomUUID()), codes.map((code) => hashOf({ personId, code })), ctx.now()],
  );
  await recordEvent(work, {
    name: "factor.recovery_codes_made",
    subjectType: "person",
    subjectId: personId,
    data: { count: codes.length },
  });
  return codes;
}

/** Uses a code up, whatever its case and dashes, records it and tells the person how many are left. */
export async function useRecoveryCode(
  work: Work,
  { keyRing, personId, code }: { keyRing: KeyRing; personId: string; code: string },
): Promise<Proof<{ left: number }>> {
  const { ctx, sql } = work;
  const { rowCount } = await sql.query("update recovery_codes set used_at = $3 where person_id = $1 and hash = $2 and used_at is null", [
    personId,
    hashOf({ personId, code }),
    ctx.now(),
  ]);
  if (!rowCount) return { ok: false, why: "wrong" };
  const left = await recoveryCodesLeft(sql, personId);
  await recordEvent(work, { name: "factor.recovery_code_used", subjectType: "person", subjectId: personId, data: { left } });
  await tellPerson(work, { keyRing, personId, notice: "recovery_code.used", data: { left } });
  return { ok: true, left };
}

export async function recoveryCodesLeft(sql: Sql, personId: string): Promise<number> {
  const { rows } = await sql.query<{ left: number }>(
    "select count(*)::int as left from recovery_codes where person_id = $1 and used_at is null",
    [personId],
  );
  return rows[0]?.left ?? 0;
}

/** Returns how many were unused. */
export async function forgetRecoveryCodes(sql: Sql, personId: string): Promise<number> {
  const { rows } = await sql.query<{ unused: boolean }>(
    "delete from recovery_codes where person_id = $1 returning used_at is null as unused",
    [personId],
  );
  return rows.filter(({ unused }) => unused).length;
}

function newRecoveryCode(): string {
  const letters = Array.from({ length: LETTERS_A_CODE }, () => LETTERS.charAt(randomInt(LETTERS.length))).join("");
  return letters.replaceAll(/.{4}(?=.)/g, "$&-");
}

function hashOf({ personId, code }: { personId: string; code: string }): Buffer {
  const letters = code.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return createHash("sha256").update(`recovery-code ${personId} ${letters}`).digest();
}
