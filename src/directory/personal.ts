import type { Sql, Work } from "../db/database.ts";
import { fewRandomBytes, open, personKeyPurpose, seal, sealingKey, type KeyRing, type SealingKey } from "../db/envelope.ts";
import { AppError } from "../errors.ts";

const PURPOSE = "audit";

interface WrappedKey {
  person_id: string;
  wrapped: string;
}

/**
 * The people's own keys, with which personal values in audit events are sealed; missing ones are made, in the caller's transaction.
 * Erasing a key erases what it sealed, and leaves the trail whole.
 */
export async function personKeys({ ctx, sql }: Work, keyRing: KeyRing, personIds: readonly string[]): Promise<Map<string, SealingKey>> {
  const unique = [...new Set(personIds)];
  const known = await readKeys(sql, unique);
  const missing = unique.filter((id) => !known.has(id)).map((id) => ({ person_id: id, wrapped: newPersonKey(keyRing, id).wrapped }));
  if (missing.length > 0) {
    await sql.query(
      `insert into person_keys (person_id, wrapped, created_at) select person_id, wrapped, $2 from jsonb_to_recordset($1::jsonb) as w (person_id uuid, wrapped text)
       order by person_id on conflict do nothing`,
      [JSON.stringify(missing), ctx.now()],
    );
    // Somebody else may have made one in between: theirs counts.
    for (const [id, wrapped] of await readKeys(
      sql,
      missing.map((key) => key.person_id),
    ))
      known.set(id, wrapped);
  }
  return new Map([...known].map(([id, wrapped]) => [id, openPersonKey(keyRing, { personId: id, wrapped })]));
}

/** A new key of a person's own: as it seals, and wrapped, to be stored by the caller. */
export function newPersonKey(keyRing: KeyRing, personId: string): { key: SealingKey; wrapped: string } {
  const bytes = fewRandomBytes(32);
  return {
    key: sealingKey(bytes),
    wrapped: seal(keyRing.current, { purpose: personKeyPurpose(personId), plain: bytes.toString("base64") }),
  };
}

/** A person's key as it seals. Throws `misconfigured` when the master key is not the one in use. */
export function openPersonKey(keyRing: KeyRing, { personId, wrapped }: { personId: string; wrapped: string }): SealingKey {
  return sealingKey(Buffer.from(open(keyRing, { purpose: personKeyPurpose(personId), sealed: wrapped }), "base64"));
}

/** Seals personal values (`before`, `after`) for an event about this person. */
export function sealPersonal(key: SealingKey, { personId, value }: { personId: string; value: unknown }): string {
  return seal(key, { purpose: `${PURPOSE}:${personId}`, plain: JSON.stringify(value) });
}

/** What `sealPersonal` sealed, or null when the person's key was erased. Throws `misconfigured` when the master key is not the one in use. */
export async function openPersonal(
  sql: Sql,
  keyRing: KeyRing,
  { personId, sealed }: { personId: string; sealed: string },
): Promise<unknown> {
  const wrapped = (await readKeys(sql, [personId])).get(personId);
  if (wrapped === undefined) return null;
  const key = openPersonKey(keyRing, { personId, wrapped });
  const value: unknown = JSON.parse(open({ current: key, older: [] }, { purpose: `${PURPOSE}:${personId}`, sealed }));
  return value;
}

/** What `sealPersonal` sealed, by the given ids; what does not open (its key was erased, or is of another master key) is left out. */
export async function openPersonalOf(
  { ctx, sql }: Work,
  { keyRing, values }: { keyRing: KeyRing; values: readonly { id: number; personId: string; sealed: string }[] },
): Promise<Map<number, unknown>> {
  const wrapped = await readKeys(sql, [...new Set(values.map(({ personId }) => personId))]);
  const opened = new Map<number, unknown>();
  for (const { id, personId, sealed } of values) {
    const key = wrapped.get(personId);
    if (key === undefined) continue;
    try {
      const own = openPersonKey(keyRing, { personId, wrapped: key });
      opened.set(id, JSON.parse(open({ current: own, older: [] }, { purpose: `${PURPOSE}:${personId}`, sealed })));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      ctx.log.warn({ err: error, event: id }, "personal values of an audit event can't be opened");
    }
  }
  return opened;
}

async function readKeys(sql: Sql, personIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await sql.query<WrappedKey>("select person_id, wrapped from person_keys where person_id = any($1::uuid[])", [personIds]);
  return new Map(rows.map((row) => [row.person_id, row.wrapped]));
}
