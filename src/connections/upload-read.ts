import { Fault, type UploadedFile, type UploadedFiles } from "../../connectors/contract.ts";
import type { Sql } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { openChunk, openUploadKey, uploadPurpose } from "./upload-seal.ts";

interface UploadRow {
  id: string;
  file: string;
  bytes: number;
  receivedAt: Date;
  key: string;
}

/** The files that were handed in for a connection, for its connector. */
export function uploadedFiles(sql: Sql, { connectionId, keyRing }: { connectionId: number; keyRing: KeyRing }): UploadedFiles {
  return {
    async last() {
      const { rows } = await sql.query<UploadRow>(
        `select id::text, file, bytes::float8 as bytes, received_at as "receivedAt", key from uploads
         where connection_id = $1 order by received_at desc limit 1`,
        [connectionId],
      );
      return rows[0] && fileOf(sql, { row: rows[0], connectionId, keyRing });
    },
  };
}

function fileOf(sql: Sql, { row, connectionId, keyRing }: { row: UploadRow; connectionId: number; keyRing: KeyRing }): UploadedFile {
  const { id, file, bytes, receivedAt } = row;
  return {
    name: file,
    bytes,
    receivedAt,
    async *chunks() {
      const key = openUploadKey(keyRing, { purpose: uploadPurpose({ connectionId, file }), sealed: row.key });
      for (let seq = 0, read = 0; read < bytes; seq++) {
        const { rows } = await sql.query<{ content: Buffer }>("select content from upload_chunks where upload_id = $1 and seq = $2", [
          id,
          seq,
        ]);
        if (!rows[0])
          throw new Fault("transient", `${file} was cleared away while it was read: newer ones have come. The next run reads the last.`);
        const plain = openChunk(key, { seq, sealed: rows[0].content });
        read += plain.length;
        yield plain;
      }
    },
  };
}
