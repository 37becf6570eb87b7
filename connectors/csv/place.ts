import type { FileHandle } from "node:fs/promises";
import type { CheckResult, OpenOptions } from "../contract.ts";
import type { CsvSettings } from "./config.ts";
import { wayOf } from "./config.ts";
import { localFile, newestIn } from "./local.ts";
import { sftpPlace } from "./sftp-place.ts";
import { uploadedPlace } from "./uploaded-place.ts";

/** One file, held open: what replaces it meanwhile is another file. */
export interface Snapshot {
  /** What messages call it. */
  name: string;
  handle: FileHandle;
  /** When it was last written. */
  changedAt: Date;
  size: number;
  /** The same exactly as long as it is the same file, untouched; see Place.look. */
  version: string;
  /** False when it was written to since it was taken. */
  untouched(): Promise<boolean>;
}

/** Where the file comes from. Both calls throw a Fault that says what is the matter with the place. */
export interface Place {
  /** Which file stands there now, as Snapshot.version says it. Cheap: it is asked for every person who seems to be gone. */
  look(): Promise<string>;
  /** Holds the file that stands there now. */
  take(): Promise<Snapshot>;
  /** What `connection check` should say of the way there, as far as it was walked. */
  findings?(): CheckResult[];
  close(): Promise<void>;
}

export function placeOf({ settings, uploads, signal, now, network }: OpenOptions<CsvSettings>): Place {
  const { maxBytes } = settings;
  const chosen = wayOf(settings);
  if (chosen.way === "file") return localFile({ file: chosen.file, maxBytes });
  if (chosen.way === "folder") return newestIn({ ...chosen.folder, maxBytes, signal, now });
  if (chosen.way === "upload") return uploadedPlace({ uploads, maxBytes });
  return sftpPlace({ settings: chosen.sftp, maxBytes, signal, network });
}
