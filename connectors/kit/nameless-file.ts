import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

/** A file of this process alone: it has no name any more, and is gone when the process is, however that ends. */
export async function namelessFile(): Promise<FileHandle> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "rollcall-"));
  try {
    return await open(path.join(folder, "file"), "wx+", 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
