import { createHash } from "node:crypto";
import { z } from "zod";
import type { Work } from "../../db/database.ts";
import { IDEMPOTENT_ANSWER_PURPOSE, open, seal, type KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";

const KEY = /^[\x21-\x7e]{1,200}$/;
const stored = z.object({ body: z.unknown(), headers: z.record(z.string(), z.string()) });

export interface KeptAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}

interface KeyedRequest {
  caller: string;
  key: string;
  method: string;
  path: string;
  body: unknown;
}

/**
 * Does something once for each Idempotency-Key of a caller (draft-ietf-httpapi-idempotency-key-header), in the caller's transaction:
 * who sends it again, even at the same time, gets the first answer. Throws `invalid` for a bad key; `conflict` when the
 * key was used for something else.
 */
export async function once(
  work: Work,
  request: KeyedRequest & { keyRing: KeyRing; perform: () => Promise<KeptAnswer> },
): Promise<KeptAnswer> {
  const { ctx, sql } = work;
  const { caller, key, keyRing, perform } = request;
  if (!KEY.test(key))
    throw new AppError("invalid", "An Idempotency-Key is 1 to 200 visible ASCII characters.", { field: "Idempotency-Key" });
  const hash = hashOf(request);
  // Who comes second waits here for the first to commit.
  const { rowCount } = await sql.query(
    "insert into idempotency_keys (caller, key, request_hash, status, answer, created_at) values ($1, $2, $3, 0, '', $4) on conflict do nothing",
    [caller, key, hash, ctx.now()],
  );
  if (rowCount === 0) return repeated(work, { ...request, hash });
  const answer = await perform();
  const sealed = seal(keyRing.current, {
    purpose: IDEMPOTENT_ANSWER_PURPOSE,
    plain: JSON.stringify({ body: answer.body, headers: answer.headers }),
  });
  await sql.query("update idempotency_keys set status = $3, answer = $4 where caller = $1 and key = $2", [
    caller,
    key,
    answer.status,
    sealed,
  ]);
  return answer;
}

async function repeated(
  { sql }: Work,
  { caller, key, keyRing, hash }: { caller: string; key: string; keyRing: KeyRing; hash: Buffer },
): Promise<KeptAnswer> {
  const { rows } = await sql.query<{ request_hash: Buffer; status: number; answer: string }>(
    "select request_hash, status, answer from idempotency_keys where caller = $1 and key = $2",
    [caller, key],
  );
  const [row] = rows;
  if (!row) throw new AppError("busy", "This Idempotency-Key has just been forgotten; send the request again.", { retryAfter: 1 });
  if (!row.request_hash.equals(hash))
    throw new AppError("conflict", "This Idempotency-Key was used for another request; take a new one.", { field: "Idempotency-Key" });
  const { body, headers } = stored.parse(JSON.parse(open(keyRing, { purpose: IDEMPOTENT_ANSWER_PURPOSE, sealed: row.answer })));
  return { status: row.status, headers: { ...headers, "Idempotency-Replayed": "true" }, body };
}

function hashOf({ method, path, body }: KeyedRequest): Buffer {
  return createHash("sha256")
    .update(JSON.stringify([method, path, body ?? null]))
    .digest();
}
