import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { UploadLimits } from "../../connectors/contract.ts";
import { AppError } from "../errors.ts";
import type { LoadedConnection } from "./open.ts";

/** A file that was handed in, whole. */
export interface Upload {
  /** Its name in the connection's folder; names follow one another as their times do. */
  file: string;
  bytes: number;
  /** Hexadecimal digits. */
  sha256: string;
  receivedAt: Date;
}

export interface StoreUploadOptions extends UploadLimits {
  folder: string;
  input: AsyncIterable<Buffer>;
  /** What the sender says that the file's SHA-256 is. */
  digest?: Buffer | undefined;
  now: () => Date;
}

const DRAFT = ".draft-";
/** After so long nobody writes to a draft any more. */
const DRAFT_LIVES_MS = 24 * 3_600_000;
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
 * Writes the input beside the others, and gives it its name only when all of it is on the disk: a reader sees a whole file or
 * none. Of the others the last `keep` stay. Throws `too_large`, and `invalid` when it is not what its digest says; whatever the
 * input throws comes through. Then nothing is kept.
 */
export async function storeUpload({ folder, input, digest, maxBytes, keep, now }: StoreUploadOptions): Promise<Upload> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = path.join(folder, `${DRAFT}${randomUUID()}`);
  try {
    const { bytes, hash } = await write(input, { draft, maxBytes });
    if (bytes === 0) throw new AppError("invalid", "The file is empty. Nothing was kept.", { field: "body" });
    if (digest && (digest.length !== hash.length || !timingSafeEqual(digest, hash)))
      throw new AppError("invalid", "The file is not the one that Content-Digest describes: it was changed on its way. Nothing was kept.", {
        field: "Content-Digest",
      });
    const sha256 = hash.toString("hex");
    const receivedAt = await nextMoment(folder, now());
    const file = `${receivedAt.toISOString().replaceAll(":", "-")}-${sha256.slice(0, 12)}.csv`;
    await rename(draft, path.join(folder, file));
    await prune(folder, { keep, now });
    return { file, bytes, sha256, receivedAt };
  } finally {
    await rm(draft, { force: true });
  }
}

async function write(
  input: AsyncIterable<Buffer>,
  { draft, maxBytes }: { draft: string; maxBytes: number },
): Promise<{ bytes: number; hash: Buffer }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const handle = await open(draft, "wx", 0o600);
  try {
    for await (const chunk of input) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new AppError(
          "too_large",
          `The file has more than ${maxBytes} bytes, which is \`maxBytes\` of the connection. Nothing was kept.`,
          {
            field: "body",
          },
        );
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, hash: hash.digest() };
}

/** Later than every file there is, whatever the clock says: the newest is the last by name. */
async function nextMoment(folder: string, now: Date): Promise<Date> {
  const last = (await uploadNames(folder)).at(-1);
  const before = last === undefined ? undefined : receivedAtOf(last);
  return before && before >= now ? new Date(before.getTime() + 1) : now;
}

/** When a file was received, by its name; undefined for a name that is none of ours. */
export function receivedAtOf(file: string): Date | undefined {
  const [, day, hours, minutes, seconds] = FORM.exec(file) ?? [];
  const at = day === undefined ? undefined : new Date(`${day}${hours}:${minutes}:${seconds}`);
  return at && !Number.isNaN(at.getTime()) ? at : undefined;
}

async function uploadNames(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => FORM.test(name)).sort();
}

async function prune(folder: string, { keep, now }: { keep: number; now: () => Date }): Promise<void> {
  for (const name of (await uploadNames(folder)).slice(0, -keep)) await rm(path.join(folder, name), { force: true });
  for (const name of await readdir(folder)) {
    if (!name.startsWith(DRAFT)) continue;
    // Another request's draft may be renamed at this very moment.
    const found = await stat(path.join(folder, name)).catch(() => undefined);
    if (found && now().getTime() - found.mtimeMs > DRAFT_LIVES_MS) await rm(path.join(folder, name), { force: true });
  }
}
