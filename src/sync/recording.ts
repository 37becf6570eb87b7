import { Fault, type Cursor, type Kind } from "../../connectors/contract.ts";
import { createRecording, openRecording, type RecordingWriter } from "../../connectors/kit/recording/file.ts";
import { recordHttp, replayHttp } from "../../connectors/kit/recording/http.ts";
import { createRedactor, type Redactor } from "../../connectors/kit/recording/redact.ts";
import { recordSource, replaySource } from "../../connectors/kit/recording/source.ts";
import { openSource, type LoadedConnection } from "../connections/open.ts";
import { valueAt, type Settings } from "../connections/secrets.ts";
import type { Context } from "../context.ts";
import { AppError, messageOf } from "../errors.ts";
import type { RunSummary } from "./finish.ts";
import { runSync, type OpenRunSource, type RunOptions } from "./run.ts";

/** Runs a sync and writes its conversation with the system into a new file. Throws `conflict` when the file is there already. */
export async function recordRun(
  ctx: Context,
  { file, ...options }: Omit<RunOptions, "open" | "source"> & { file: string },
): Promise<RunSummary> {
  let writer: RecordingWriter | undefined;
  let redactor: Redactor | undefined;
  const open: OpenRunSource = async (run) => {
    const { connection, mode, startedAt } = run;
    const recorder = createRedactor(secretsOf(connection));
    redactor = recorder;
    const level = connection.connector.recordedAt ?? "source";
    const made = await createFile(file, {
      recording: 1,
      connection: connection.name,
      connector: connection.connector.name,
      mode,
      startedAt: startedAt.toISOString(),
      cursor: recorder.value(connection.cursor) as Record<string, Record<string, unknown>> | null,
      level,
    });
    writer = made;
    if (level === "http") return openSource(connection, { ...run.ctx, conversation: recordHttp({ writer: made, redactor: recorder }) });
    return recordSource(() => openSource(connection, run.ctx), { writer: made, redactor: recorder });
  };
  try {
    const summary = await runSync(ctx, { ...options, open });
    await writer?.end({ hash: summary.hash });
    return summary;
  } catch (error) {
    await writer?.end({ fault: String(redactor?.value(messageOf(error))) });
    throw error;
  } finally {
    await writer?.close();
  }
}

async function createFile(...[file, header]: Parameters<typeof createRecording>): Promise<RecordingWriter> {
  try {
    return await createRecording(file, header);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new AppError("conflict", `${file} is there already. Name another file, or remove that one.`, { field: "record", cause: error });
    throw new AppError("invalid", `${file} can't be written (${code ?? messageOf(error)}).`, { field: "record", cause: error });
  }
}

/** What must stand in no recording: the connection's secrets, as its connector names them. */
function secretsOf({ connector, settings }: LoadedConnection): unknown[] {
  return connector.secretFields.map((field) => valueAt(settings as Settings, field));
}

export interface Replayed {
  connection: string;
  /** Absent when the run failed, as it may have when it was recorded. */
  summary?: RunSummary;
  /** Why the replay failed. */
  fault?: string;
  recorded: { startedAt: string; hash?: string; fault?: string };
  /** Whether it came to what was recorded: the same plan, byte for byte, or the same failure. */
  same: boolean;
}

export interface ReplayOptions extends Pick<RunOptions, "db" | "keyRing" | "onProgress"> {
  file: string;
  /** The connection whose settings, mapping and accounts it is decided with; the recorded one when absent. */
  connection?: string | undefined;
}

/**
 * Runs a recording again, at its own time, without the system: to a plan that is shown and never applied. Nothing else is
 * touched. Throws `invalid` for a file that is no recording; `conflict` when the connection is of another kind.
 */
export async function replayRun(ctx: Context, { file, connection, ...options }: ReplayOptions): Promise<Replayed> {
  const recording = await openRecording(file).catch((error: unknown) => {
    const why =
      error instanceof Fault ? error.message : `${file} can't be read (${(error as NodeJS.ErrnoException).code ?? messageOf(error)}).`;
    throw new AppError("invalid", why, { field: "file", cause: error });
  });
  const { header, end } = recording;
  const open: OpenRunSource = (run) => {
    const { connector } = run.connection;
    if (connector.name !== header.connector)
      throw new AppError(
        "conflict",
        `The recording is of ${header.connector}; ${run.connection.name} is a connection to ${connector.name}.`,
        {
          field: "connection",
        },
      );
    if (header.level === "source") return replaySource(recording);
    const redactor = createRedactor(secretsOf(run.connection));
    return openSource(run.connection, { ...run.ctx, conversation: replayHttp({ recording, redactor }) });
  };
  const name = connection ?? header.connection;
  const recorded = { startedAt: header.startedAt, ...end };
  try {
    const startedAt = new Date(header.startedAt);
    const summary = await runSync(
      { ...ctx, now: () => startedAt },
      {
        ...options,
        connection: name,
        mode: header.mode,
        trigger: "replay",
        rehearsal: { cursor: header.cursor as Partial<Record<Kind, Cursor>> | null },
        open,
      },
    );
    return { connection: name, summary, recorded, same: summary.hash === end?.hash };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { connection: name, fault: error.message, recorded, same: error.message === end?.fault };
  } finally {
    await recording.close();
  }
}
