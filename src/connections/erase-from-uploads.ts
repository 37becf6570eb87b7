import { Fault, type UploadedFile } from "../../connectors/contract.ts";
import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { AppError } from "../errors.ts";
import { loadConnection } from "./open.ts";
import { receiveUpload } from "./upload-receive.ts";
import { insertUpload } from "./uploads.ts";

interface Named {
  connectionId: number;
  nativeIds: string[];
}

/** Connections that keep files which may name the person, and by which ids. */
const NAMED = `
  select a.connection_id as "connectionId", array_agg(a.native_id) as "nativeIds" from accounts a
   where a.person_id = $1 and a.kind = 'user' and exists (select from uploads u where u.connection_id = a.connection_id) group by 1 order by 1`;

/**
 * Takes somebody out of the files that were handed in, in the caller's transaction and before their accounts go: the last file of a
 * connection loses their lines, and those before it, which nothing reads any more, go whole. So does one that can't be read.
 */
export async function eraseFromUploads(work: Work, { personId, keyRing }: { personId: string; keyRing: KeyRing }): Promise<void> {
  const { rows } = await work.sql.query<Named>(NAMED, [personId]);
  for (const named of rows) await eraseFrom(work, { ...named, keyRing });
}

async function eraseFrom(work: Work, { connectionId, nativeIds, keyRing }: Named & { keyRing: KeyRing }): Promise<void> {
  const { ctx, sql } = work;
  const { rows: all } = await sql.query<{ id: string }>(
    "select id::text from uploads where connection_id = $1 order by received_at desc for update",
    [connectionId],
  );
  let without: Awaited<ReturnType<typeof readWithout>> | undefined;
  try {
    without = await readWithout(work, { connectionId, nativeIds, keyRing });
  } catch (error) {
    if (!(error instanceof Fault || error instanceof AppError)) throw error;
    ctx.log.warn(
      { err: error, connection: connectionId },
      "a file that was handed in can't be read, and is deleted with a person whom it may name",
    );
  }
  await sql.query("delete from uploads where id = any($1::bigint[])", [all.map(({ id }) => id)]);
  if (!without) return;
  const { file, received } = without;
  try {
    await insertUpload(sql, { connectionId, keyRing, received, file: file.name, receivedAt: file.receivedAt });
  } finally {
    await received.close();
  }
}

/** The last file, without the person's lines; nothing where none is read any more. */
async function readWithout({ ctx, sql }: Work, { connectionId, nativeIds, keyRing }: Named & { keyRing: KeyRing }) {
  const { connector, settings, uploads } = await loadConnection(sql, keyRing, connectionId);
  const file: UploadedFile | undefined = await uploads?.last();
  if (!file || !connector.uploads?.(settings as never) || !connector.uploadWithout) return undefined;
  const rest = connector.uploadWithout({ settings: settings as never, file, nativeIds: new Set(nativeIds), signal: ctx.signal });
  // Quotation marks and the mark of the encoding may make a file without the person longer than it was with them.
  return { file, received: await receiveUpload(rest, { maxBytes: 4 * file.bytes + 16 }) };
}
