import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";
import type { Upload } from "./uploads.ts";

/** Notes a file that was handed in. With `sync` the next free worker reads it. */
export async function noteUpload(
  work: Work,
  { connection, upload, sync }: { connection: { id: number; name: string }; upload: Upload; sync: boolean },
): Promise<void> {
  const { file, bytes, sha256 } = upload;
  const { name } = connection;
  await recordEvent(work, { name: "connection.uploaded", subjectType: "connection", subjectId: name, data: { name, file, bytes, sha256 } });
  if (sync) await enqueueUploadSync(work.sql, { connectionId: connection.id });
}

/** One run for all files until it begins; it reads the last of them. */
export async function enqueueUploadSync(sql: Sql, { connectionId, runAt }: { connectionId: number; runAt?: Date }): Promise<void> {
  await enqueue(sql, {
    job: "sync",
    payload: { connectionId, mode: "incremental", trigger: "upload" },
    key: `sync:${connectionId}:upload`,
    maxAttempts: 3,
    ...(runAt ? { runAt } : {}),
  });
}

/** What became of an upload: the first run that began after it had come. */
export interface UploadRun {
  id: number;
  /** pulling, planned, held, applying, done, failed, crashed or superseded. */
  state: string;
  startedAt: Date;
  finishedAt: Date | null;
  counts: unknown;
  error: string | null;
}

export async function runAfter(sql: Sql, { connectionId, since }: { connectionId: number; since: Date }): Promise<UploadRun | undefined> {
  const { rows } = await sql.query<UploadRun>(
    `select id, state, started_at as "startedAt", finished_at as "finishedAt", counts, error_message as error
     from runs where connection_id = $1 and started_at >= $2 and trigger <> 'replay' order by id limit 1`,
    [connectionId, since],
  );
  return rows[0];
}
