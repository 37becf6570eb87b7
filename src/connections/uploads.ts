import type { UploadLimits } from "../../connectors/contract.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import type { LoadedConnection } from "./open.ts";
import type { Received } from "./upload-receive.ts";
import { newUploadKey, sealChunk, uploadPurpose } from "./upload-seal.ts";

/** A file that was handed in, whole. */
export interface Upload {
  /** Its name; names follow one another as their times do. */
  file: string;
  bytes: number;
  /** Hexadecimal digits. */
  sha256: string;
  receivedAt: Date;
}

export interface StoreUploadOptions {
  connection: { id: number; name: string };
  keyRing: KeyRing;
  received: Received;
  /** So many of the last files stay. */
  keep: number;
}

const CHUNK = 512 * 1024;
const FORM = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3}Z)-[0-9a-f]{12}\.csv$/;

/** How files are handed in for this connection. Throws `conflict` when it reads something else. */
export function uploadLimitsOf({ name, connector, settings }: LoadedConnection): UploadLimits {
  const limits = connector.uploads?.(settings as never);
  if (limits) return limits;
  throw new AppError(
    "conflict",
    `The connection ${name} takes no files: its settings say that it reads something else. Set \`upload: {}\`.`,
    {
      field: "connection",
    },
  );
}

/**
 * Keeps a file that has come, sealed, in the caller's transaction: every node reads all of it or none. Of the others the last `keep`
 * stay. Throws `not_found` when the connection has gone meanwhile.
 */
export async function storeUpload({ sql, ctx }: Work, { connection, keyRing, received, keep }: StoreUploadOptions): Promise<Upload> {
  // One after the other, so that each is later than every other.
  const { rowCount } = await sql.query("select from connections where id = $1 for no key update", [connection.id]);
  if (rowCount === 0) throw new AppError("not_found", `There is no connection "${connection.name}" any more. Nothing was kept.`);
  const { bytes, sha256 } = received;
  const receivedAt = await nextMoment(sql, { connectionId: connection.id, now: ctx.now() });
  const file = `${receivedAt.toISOString().replaceAll(":", "-")}-${sha256.slice(0, 12)}.csv`;
  await insertUpload(sql, { connectionId: connection.id, keyRing, received, file, receivedAt });
  await sql.query(
    "delete from uploads where connection_id = $1 and id not in (select id from uploads where connection_id = $1 order by received_at desc limit $2)",
    [connection.id, keep],
  );
  return { file, bytes, sha256, receivedAt };
}

export interface InsertUploadOptions {
  connectionId: number;
  keyRing: KeyRing;
  received: Pick<Received, "handle" | "bytes" | "sha256">;
  file: string;
  receivedAt: Date;
}

/** Stores a file under a key of its own, chunk by chunk. */
export async function insertUpload(
  sql: Work["sql"],
  { connectionId, keyRing, received, file, receivedAt }: InsertUploadOptions,
): Promise<void> {
  const { handle, bytes, sha256 } = received;
  const { key, sealed } = newUploadKey(keyRing, uploadPurpose({ connectionId, file }));
  const { rows } = await sql.query<{ id: string }>(
    "insert into uploads (connection_id, file, bytes, sha256, received_at, key) values ($1, $2, $3, $4, $5, $6) returning id::text",
    [connectionId, file, bytes, sha256, receivedAt, sealed],
  );
  for (let seq = 0; seq * CHUNK < bytes; seq++) {
    const plain = Buffer.alloc(Math.min(CHUNK, bytes - seq * CHUNK));
    await handle.read(plain, 0, plain.length, seq * CHUNK);
    await sql.query("insert into upload_chunks (upload_id, seq, content) values ($1, $2, $3)", [
      rows[0]?.id,
      seq,
      sealChunk(key, { seq, plain }),
    ]);
  }
}

/** Later than every file there is, whatever the clock says. */
async function nextMoment(sql: Work["sql"], { connectionId, now }: { connectionId: number; now: Date }): Promise<Date> {
  const { rows } = await sql.query<{ last: Date | null }>("select max(received_at) as last from uploads where connection_id = $1", [
    connectionId,
  ]);
  const last = rows[0]?.last ?? null;
  return last !== null && last >= now ? new Date(last.getTime() + 1) : now;
}

/** When a file was received, by its name; undefined for a name that is none of ours. */
export function receivedAtOf(file: string): Date | undefined {
  const [, day, hours, minutes, seconds] = FORM.exec(file) ?? [];
  const at = day === undefined ? undefined : new Date(`${day}${hours}:${minutes}:${seconds}`);
  return at && !Number.isNaN(at.getTime()) ? at : undefined;
}
