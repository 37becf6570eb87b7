import { createHash } from "node:crypto";
import { z } from "zod";
import type { Context } from "../../context.ts";
import { inTransaction, type Database, type Sql, type Work } from "../../db/database.ts";
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

/** A request that may have been answered before. */
interface Repeatable extends KeyedRequest {
  keyRing: KeyRing;
  /** Whether its caller may still be told. Throws what the route throws otherwise. */
  allow(sql: Sql): Promise<void>;
}

/**
 * Does something once for each Idempotency-Key of a caller (draft-ietf-httpapi-idempotency-key-header), in the caller's transaction:
 * who sends it again, even at the same time, gets the first answer if they still may. Throws `invalid` for a bad key; `conflict` when
 * the key was used for something else; what `allow` throws.
 */
export async function once(work: Work, request: Repeatable & { perform: () => Promise<KeptAnswer> }): Promise<KeptAnswer> {
  const { caller, key, perform } = request;
  const hash = hashOf(requireKey(request));
  if (!(await claim(work, { caller, key, hash }))) return repeated(work, { ...request, hash });
  const answer = await perform();
  await keep(work.sql, { ...request, answer });
  return answer;
}

/** After how long a request that never ended (its process died) no longer stands in the way of the same one. */
const ABANDONED_MS = 600_000;

/**
 * The same for what makes transactions of its own, one of which may talk to others for long: the key is claimed first, and let go when
 * nothing came of it. Who sends it meanwhile is asked to come again. Throws `busy` for that; else as `once`.
 */
export async function onceApart(
  db: Database,
  ctx: Context,
  request: Repeatable & { perform: () => Promise<KeptAnswer> },
): Promise<KeptAnswer> {
  const { caller, key, perform } = request;
  const hash = hashOf(requireKey(request));
  const claimed = await inTransaction(db, ctx, (work) => claim(work, { caller, key, hash }));
  if (!claimed) return repeated({ ctx, sql: db.pool }, { ...request, hash });
  let answer: KeptAnswer;
  try {
    answer = await perform();
  } catch (error) {
    await db.pool.query("delete from idempotency_keys where caller = $1 and key = $2 and status = 0", [caller, key]);
    throw error;
  }
  await keep(db.pool, { ...request, answer });
  return answer;
}

/** Who comes second waits here for the first to commit. Whether the key is ours now. */
async function claim({ ctx, sql }: Work, { caller, key, hash }: { caller: string; key: string; hash: Buffer }): Promise<boolean> {
  const now = ctx.now();
  const { rowCount } = await sql.query(
    `insert into idempotency_keys (caller, key, request_hash, status, answer, created_at) values ($1, $2, $3, 0, '', $4)
     on conflict (caller, key) do update set created_at = excluded.created_at
       where idempotency_keys.status = 0 and idempotency_keys.request_hash = excluded.request_hash and idempotency_keys.created_at <= $5`,
    [caller, key, hash, now, new Date(now.getTime() - ABANDONED_MS)],
  );
  return rowCount === 1;
}

async function keep(sql: Sql, { caller, key, keyRing, answer }: KeyedRequest & { keyRing: KeyRing; answer: KeptAnswer }): Promise<void> {
  const sealed = seal(keyRing.current, {
    purpose: IDEMPOTENT_ANSWER_PURPOSE,
    plain: JSON.stringify({ body: answer.body, headers: answer.headers }),
  });
  const values = [caller, key, answer.status, sealed];
  await sql.query("update idempotency_keys set status = $3, answer = $4 where caller = $1 and key = $2", values);
}

function requireKey<Request extends KeyedRequest>(request: Request): Request {
  if (!KEY.test(request.key))
    throw new AppError("invalid", "An Idempotency-Key is 1 to 200 visible ASCII characters.", { field: "Idempotency-Key" });
  return request;
}

async function repeated({ sql }: Work, { caller, key, keyRing, hash, allow }: Repeatable & { hash: Buffer }): Promise<KeptAnswer> {
  await allow(sql);
  const { rows } = await sql.query<{ request_hash: Buffer; status: number; answer: string }>(
    "select request_hash, status, answer from idempotency_keys where caller = $1 and key = $2",
    [caller, key],
  );
  const [row] = rows;
  if (!row) throw new AppError("busy", "This Idempotency-Key has just been forgotten; send the request again.", { retryAfter: 1 });
  if (!row.request_hash.equals(hash))
    throw new AppError("conflict", "This Idempotency-Key was used for another request; take a new one.", { field: "Idempotency-Key" });
  if (row.status === 0)
    throw new AppError("busy", "The request that this Idempotency-Key was first sent with is under way still; send it again soon.", {
      field: "Idempotency-Key",
      retryAfter: 2,
    });
  const { body, headers } = stored.parse(JSON.parse(open(keyRing, { purpose: IDEMPOTENT_ANSWER_PURPOSE, sealed: row.answer })));
  return { status: row.status, headers: { ...headers, "Idempotency-Replayed": "true" }, body };
}

function hashOf({ method, path, body }: KeyedRequest): Buffer {
  return (
    createHash("sha256")
      .update(JSON.stringify([method, path, Buffer.isBuffer(body) ? null : (body ?? null)]))
      // Bytes as they are: a large file written out as JSON would hold everybody up.
      .update(Buffer.isBuffer(body) ? body : "")
      .digest()
  );
}
